"""The file of tokens on disk: whole, and nobody else's to read."""

import os
import stat
import sys
from pathlib import Path

from llama_mcp.long_paths import openable
from llama_mcp.tokens.entry import TokenEntry
from llama_mcp.tokens.errors import OpenTokensFileError, TokensFileError
from llama_mcp.tokens.parsing import MAX_BYTES, parsed

# O_NONBLOCK: what has become a FIFO must not make us wait for its writer.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

Stamp = tuple[int, int, int, int, int]


def stamp_of(file: Path) -> Stamp | None:
    """Return what changes whenever the file does; None when it cannot be looked at."""
    try:
        status = os.stat(openable(str(file)))
    except OSError:
        return None
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        # The mode, too, decides whether the file is used.
        status.st_ctime_ns,
    )


def read_tokens(file: Path) -> tuple[TokenEntry, ...]:
    """Return the entries of the file.

    Raises:
        TokensFileError: it cannot be read, or is wrong.
        OpenTokensFileError: other users of the machine can read it, or write to it.
    """
    return parsed(content_of(file), file)


def content_of(file: Path) -> bytes:
    """Return what the file holds; raises as `read_tokens` does."""
    try:
        with open(os.open(openable(str(file)), _FLAGS), "rb") as opened:
            status = os.fstat(opened.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise TokensFileError(file, ["it is no file"])
            if (problem := _open_to_others(status)) is not None:
                raise OpenTokensFileError(file, problem)
            return opened.read(MAX_BYTES + 1)
    except OSError as error:
        problem = (error.strerror or str(error)).rstrip(".")
        raise TokensFileError(file, [f"it cannot be read: {problem}"]) from error


def _open_to_others(status: os.stat_result) -> str | None:
    """Return what others can do with the file; on Windows the folder's access list decides."""
    if sys.platform == "win32":
        return None
    mode = status.st_mode
    # systemd gives a credential to its service by an access list, whose mask these bits show.
    is_roots = status.st_uid == 0 and status.st_gid == 0
    if mode & 0o007 or mode & (0o030 if is_roots else 0o070):
        return f"other users can open it (its mode is {stat.S_IMODE(mode):04o})"
    if status.st_uid not in (0, os.getuid()):
        return f"it belongs to another user (number {status.st_uid})"
    return None
