"""SQLite's and the file system's errors, in words that a model can act on."""

import errno
import sqlite3
from pathlib import Path

from filelock import Timeout

from llama_mcp.sessions.errors import ArchiveError

_FULL = (
    "is on a full disk",
    "Nothing that was saved before is lost. Free some space on that disk, then try again.",
)
_READ_ONLY = (
    "cannot be written",
    "Make the file and its folder writable for the user that runs llama-mcp, or set "
    "LLAMA_MCP_HOME to a folder that is, then try again.",
)
_LOCKED = (
    "is locked by another program",
    "Try again; if it goes on, close the program that holds the file (a database browser, a "
    "backup), or the other llama-mcp that hangs.",
)
_UNREADABLE = (
    "could not be read or written",
    "Check the disk that it is on, then try again.",
)

_BY_SQLITE_CODE = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
}
# winerror.h: ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION, which errno calls EACCES.
_IN_USE = (32, 33)
_BY_ERRNO = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _READ_ONLY,
    errno.EPERM: _READ_ONLY,
    errno.EROFS: _READ_ONLY,
    errno.ENOTDIR: _READ_ONLY,
    errno.EEXIST: _READ_ONLY,
}


def archive_error(path: Path, error: sqlite3.Error | OSError) -> ArchiveError:
    """Return the error in words: what it means for the archive, and what to do."""
    if isinstance(error, Timeout) or getattr(error, "winerror", None) in _IN_USE:
        situation, advice = _LOCKED
    elif isinstance(error, OSError):
        situation, advice = _BY_ERRNO.get(error.errno or 0, _UNREADABLE)
    else:
        situation, advice = _BY_SQLITE_CODE.get(_code(error) & 0xFF, _UNREADABLE)
    return ArchiveError(str(path), f"{situation} ({_evidence(error)})", advice)


def damage_error(path: Path, moved_to: Path | None, error: sqlite3.Error) -> ArchiveError:
    """Return what to say when damage was found while the archive was in use."""
    what = (
        f"It was moved to {moved_to}; nothing of it was deleted"
        if moved_to
        else "Another llama-mcp has moved it aside already, to a name beside it"
    )
    return ArchiveError(
        str(path),
        f"was found damaged ({_evidence(error)}). {what}",
        "A new, empty archive is used from now on: begin a new session. The old one's sessions "
        "may be recovered with: sqlite3 FILE .recover",
    )


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether the file is not what SQLite wrote."""
    return _code(error) & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def is_search_damage(error: sqlite3.Error) -> bool:
    """Return whether only the search index is damaged, which can be built again."""
    return _code(error) == sqlite3.SQLITE_CORRUPT_VTAB


def _code(error: sqlite3.Error) -> int:
    # Errors that the Python module raises by itself have no code.
    return getattr(error, "sqlite_errorcode", 0)


def _evidence(error: sqlite3.Error | OSError) -> str:
    name = getattr(error, "sqlite_errorname", None)
    return f"{name}: {error}" if name else str(error)
