"""Files that a person at a terminal sends: named with --file or /file, or piped into the command.

A person may send any file by its own path, wherever it lies, unless the operator has named the
folders (LLAMA_MCP_FILE_DIRS). Folders and patterns lie in the working folder, as with clients. What
is secret is refused all the same: what was sent can be asked for by every assistant that goes on
with the session.
"""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from llama_mcp.errors import LlamaMCPError
from llama_mcp.files.border import FileBorder
from llama_mcp.files.contents.encodings import encoding_of
from llama_mcp.files.errors import SecretFileError
from llama_mcp.files.naming.asked import take_apart
from llama_mcp.services import Services
from llama_mcp.turns.attaching import Taken, take_files

# A document may hold far less text than it has bytes; what is larger fits no window.
MOST_PIPED_BYTES = 64 * 2**20
PIPED_NAME = "stdin"


class PipedTextError(LlamaMCPError):
    """What was piped in cannot be sent."""


def files_given(services: Services, asked: Sequence[str], piped: bytes) -> Taken:
    """Return the files to be sent with a message. Blocking.

    Args:
        services: the rooms.
        asked: paths, patterns, `path:10-80`.
        piped: what is sent as a file of its own; empty for nothing.

    Raises:
        LlamaMCPError: why one cannot be sent.
    """
    taken = take_files(asked, border_for(services, asked)) if asked else Taken()
    if not piped:
        return taken
    text = _read_as_file(piped)
    return Taken((*taken.files, *text.files), (*taken.notes, *text.notes))


def border_for(services: Services, asked: Sequence[str]) -> FileBorder:
    """Return the border of the working folder, open for each file that is named by its path.

    Raises:
        SecretFileError: one is secret by its name, or by that of a folder above it.
    """
    border = services.file_border(_working_folder())
    if services.settings.file_dirs is not None:
        return border
    opened = []
    for text in asked:
        path = take_apart(text, (border.base,)).path
        if path is None or not path.is_file():
            continue
        real = Path(os.path.realpath(path))
        if pattern := border.secrets.matching(real.parts[1:]):
            raise SecretFileError(text, pattern)
        opened.append(real.parent)
    return replace(border, read_dirs=(*border.read_dirs, *opened))


def read_piped(stdin: BinaryIO) -> bytes:
    """Return what is piped in. Blocking.

    Raises:
        PipedTextError: it is too much.
    """
    piped = stdin.read(MOST_PIPED_BYTES + 1)
    if len(piped) > MOST_PIPED_BYTES:
        raise PipedTextError(
            f"More than {MOST_PIPED_BYTES:,} bytes were piped in: no window holds so much."
        )
    return piped


def piped_message(piped: bytes) -> str:
    """Return what was piped in as a message.

    Raises:
        PipedTextError: it is no text.
    """
    encoding = encoding_of(piped) if piped else "utf-8"
    if encoding is None:
        raise PipedTextError(
            "What was piped in is no text. Give a message as an argument: then it goes with it as "
            "a file."
        )
    return piped.decode(encoding, "replace").removeprefix("\ufeff").strip("\r\n")


def _read_as_file(piped: bytes) -> Taken:
    """Read it as any file: its encoding is found out, and it may be a picture or a document."""
    with tempfile.TemporaryDirectory(prefix="llama-mcp-") as folder:
        real = Path(os.path.realpath(folder))
        path = real / PIPED_NAME
        path.write_bytes(piped)
        return take_files([str(path)], FileBorder((real,), (), real))


def _working_folder() -> tuple[Path, ...]:
    try:
        return (Path.cwd(),)
    except OSError:
        return ()
