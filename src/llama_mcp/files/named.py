"""The records of the room: a file that was named, what was read of it, and what was left out."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class FileKind(StrEnum):
    """What a file holds, told by its first bytes."""

    TEXT = "text"
    PICTURE = "picture"
    DOCUMENT = "document"
    """Text that a library gets out of it: PDF, DOCX and the like."""


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file that may be read: it exists, lies inside the border, and is text or a picture."""

    name: str
    """As it is shown to model and caller: relative to the base folder where it lies in it, with `/`
    between the parts; else the absolute path."""
    path: Path
    """The real path, without links."""
    first_line: int | None
    last_line: int | None
    """The lines that are meant, from 1, both included; None for the beginning and the end."""
    kind: FileKind
    size_bytes: int
    is_matched: bool = False
    """Whether a pattern or a folder gave it, and not its own path."""

    @property
    def has_lines(self) -> bool:
        """Whether a part is meant and not the whole."""
        return self.first_line is not None or self.last_line is not None


@dataclass(frozen=True, slots=True)
class FileText:
    """The text of a file or of some of its lines; lines end with a line feed alone."""

    name: str
    path: Path
    first_line: int | None
    last_line: int | None
    """The lines that were read: of a part, its first and last line as the file has them; None for
    the whole file."""
    text: str
    size_bytes: int
    """Of the whole file, its bytes on disk; of a part, its text in UTF-8."""
    sha256: str
    """Of the same bytes, in hexadecimal."""
    notes: tuple[str, ...] = ()
    """What the reader should know, such as that it changed while it was read; sentences."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that llama-server can decode; width and height in pixels."""

    name: str
    path: Path
    media_type: str
    width: int
    height: int
    content: bytes
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not taken, and why: a short clause."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Found:
    """The files that a caller's names mean, each once and in natural order."""

    files: tuple[NamedFile, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class Saved:
    """A file that was written; its size in bytes."""

    path: Path
    name: str
    size_bytes: int
