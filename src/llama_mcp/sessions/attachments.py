"""The files of a turn: those that were sent with its message, and the one that its reply goes to.

Contents are kept as they were sent, so that later prompts begin with the same bytes. Clients see
what AttachedFile says; contents leave the archive only in prompts.
"""

from dataclasses import dataclass

from pydantic import BaseModel


class AttachedFile(BaseModel, frozen=True):
    """What is told of a file that was sent with a message."""

    name: str
    first_line: int | None = None
    """None when all of it was sent."""
    last_line: int | None = None
    media_type: str | None = None
    """Of a picture; None for text."""
    size_bytes: int
    """Of the whole file, as it was then; of lines, of their text in UTF-8."""
    sha256: str
    """Likewise."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that was sent with a message, and what was sent of it."""

    file: AttachedFile
    content: str | bytes
    """The text, or a picture's file."""


class SaveTo(BaseModel, frozen=True):
    """The file that a reply goes to."""

    path: str
    """Absolute, without links."""
    folder: str
    """The open folder that it lies in: nothing is written outside, whatever becomes of the path."""
    overwrite: bool = False
    """Whether it may take the place of a file that there is."""
