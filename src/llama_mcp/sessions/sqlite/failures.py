"""SQLite's and the file system's errors, in words that a model can act on."""

import errno
import os
import sqlite3
from pathlib import Path

from filelock import Timeout

from llama_mcp.sessions.errors import ArchiveError, ArchiveLockedError

_FULL = (
    "is on a full disk",
    "Nothing that was saved before is lost. Free some space on that disk, then try again.",
)
_READ_ONLY = (
    "cannot be written",
    "Make the file and its folder writable for the user that runs llama-mcp, or set "
    "LLAMA_MCP_HOME to a folder that is, then try again.",
)
_NO_FOLDER = (
    "has no folder to lie in",
    "Set LLAMA_MCP_HOME to a folder, or set right what is at that path.",
)
_LOCKED = (
    "is locked by another program",
    "Nothing that was saved is lost, and a message that could not be saved was not sent. Try "
    "again; if it goes on, close the program that holds the file (a database browser, a backup), "
    "or the other llama-mcp that hangs.",
)
_UNREADABLE = (
    "could not be read or written",
    "Check the disk that it is on, then try again.",
)

# SQLite's MAX_PATHNAME on POSIX is 512; the file's name is followed by -journal.
LONGEST_PATH_BYTES = 504

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
    errno.ENOTDIR: _NO_FOLDER,
    errno.EEXIST: _NO_FOLDER,
    errno.ENOENT: _NO_FOLDER,
    errno.ENAMETOOLONG: _NO_FOLDER,
    errno.ELOOP: _NO_FOLDER,
}


def archive_error(path: Path, error: sqlite3.Error | OSError) -> ArchiveError:
    """Return the error in words: what it means for the archive, and what to do."""
    length = len(os.fsencode(path))
    if length > LONGEST_PATH_BYTES and _code_of(error) == sqlite3.SQLITE_CANTOPEN:
        return _too_long(path, length)
    if isinstance(error, Timeout) or getattr(error, "winerror", None) in _IN_USE:
        situation, advice = _LOCKED
    elif isinstance(error, OSError):
        situation, advice = _BY_ERRNO.get(error.errno or 0, _UNREADABLE)
    else:
        situation, advice = _BY_SQLITE_CODE.get(_code_of(error), _UNREADABLE)
    kind = ArchiveLockedError if situation == _LOCKED[0] else ArchiveError
    return kind(str(path), f"{situation} ({_evidence(error)})", advice)


def _too_long(path: Path, length: int) -> ArchiveError:
    return ArchiveError(
        str(path),
        f"cannot be opened: its path has {length} bytes, and SQLite opens none of more than "
        f"{LONGEST_PATH_BYTES}",
        "Set LLAMA_MCP_HOME to a folder with a shorter path.",
    )


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


def left_damaged_error(path: Path, error: sqlite3.Error) -> ArchiveError:
    """Return what to say of a damaged archive to somebody who only looks."""
    return ArchiveError(
        str(path),
        f"is damaged ({_evidence(error)}) and was left as it is",
        "The next chat moves it aside, deletes nothing of it and begins a new one. What can be "
        f"read of it: sqlite3 '{path}' .recover",
    )


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether the file is not what SQLite wrote."""
    return _code_of(error) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def is_refusal(error: sqlite3.Error | OSError) -> bool:
    """Return whether the system does not let us write; perhaps it lets us read."""
    if getattr(error, "winerror", None) in _IN_USE:
        return False
    if isinstance(error, OSError):
        return error.errno in (errno.EROFS, errno.EACCES, errno.EPERM)
    refusals = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)
    return _code_of(error) in refusals


def is_search_damage(error: sqlite3.Error) -> bool:
    """Return whether only the search index is damaged, which can be built again."""
    return _code(error) == sqlite3.SQLITE_CORRUPT_VTAB


def _code_of(error: sqlite3.Error | OSError) -> int:
    """Return SQLite's primary code; 0 for an error that is not SQLite's."""
    return _code(error) & 0xFF


def _code(error: sqlite3.Error | OSError) -> int:
    # Errors that the Python module raises by itself have no code.
    return getattr(error, "sqlite_errorcode", 0)


def _evidence(error: sqlite3.Error | OSError) -> str:
    name = getattr(error, "sqlite_errorname", None)
    return f"{name}: {error}" if name else str(error)
