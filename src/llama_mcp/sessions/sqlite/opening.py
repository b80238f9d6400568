"""Opening the file of the archive: new, old, newer, foreign or damaged.

The order: take the opening lock, make the file private, connect, check whose file it is without
writing, only then write. A newer file, or another program's, is refused and not changed. A damaged
one is moved aside and a new one opened. Where nothing may be written, the file is opened to read.

The opening lock lets one process at a time open, migrate or move the file. Without it a process
could hold the old file together with the new file's -wal.
"""

import logging
import os
import sqlite3
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from llama_mcp.sessions.errors import ArchiveError
from llama_mcp.sessions.sqlite import connecting
from llama_mcp.sessions.sqlite.connecting import connect_to_read
from llama_mcp.sessions.sqlite.failures import is_damage, is_refusal, left_damaged_error
from llama_mcp.sessions.sqlite.migrations import APPLICATION_ID, MIGRATIONS, applied_count, migrate
from llama_mcp.sessions.sqlite.search_words import searchable
from llama_mcp.sessions.sqlite.syncing import prepare_syncs

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A file that is open and of today's shape."""

    connection: sqlite3.Connection
    inode: int | None
    notice: str | None
    """What the user should know: that a damaged file was moved, and where to."""
    is_read_only: bool = False


def open_file(path: Path, *, may_replace: bool = True) -> OpenedFile:
    """Open the archive, only to read where nothing may be written; create it if there is none.

    Args:
        path: Where it is.
        may_replace: A damaged one is moved aside, and a new one begun.

    Raises:
        ArchiveError: The file is newer than this program, another program's, or damaged and not to
            be replaced.
        sqlite3.Error: SQLite could not open it.
        OSError: The folder or the file cannot be made.
    """
    try:
        return _open_to_write(path, may_replace=may_replace)
    except (OSError, sqlite3.OperationalError) as error:
        if not is_refusal(error) or not os.access(path, os.R_OK):
            raise
        try:
            return _open_to_read(path)
        except sqlite3.OperationalError:
            raise error from None


def _open_to_write(path: Path, *, may_replace: bool) -> OpenedFile:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _opening_lock(path):
        try:
            return _connect(path, notice=None)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            if not may_replace:
                raise left_damaged_error(path, error) from error
            moved_to = _move_aside(path)
            notice = describe_damage(moved_to, error)
        return _connect(path, notice)


def move_aside_if_unchanged(path: Path, inode: int | None) -> Path | None:
    """Move the damaged file aside, unless another process did so already.

    Args:
        path: The archive.
        inode: The file that was found damaged.
    """
    with _opening_lock(path):
        return _move_aside(path) if inode_of(path) == inode else None


def inode_of(path: Path) -> int | None:
    """Return what tells a file from another that took its name; None when there is none."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def describe_damage(moved_to: Path, error: sqlite3.Error) -> str:
    """Return what the user should know about a damaged archive."""
    return (
        f"The archive of sessions was damaged ({error}). It was moved to {moved_to} and nothing of "
        f"it was deleted; a new, empty archive was begun. What can be read of the old one: sqlite3 "
        f"'{moved_to}' .recover"
    )


def _opening_lock(path: Path) -> FileLock:
    lock_path = path.with_name(path.name + ".lock")
    return FileLock(
        lock_path, timeout=connecting.BUSY_TIMEOUT_SECONDS, mode=0o600, thread_local=False
    )


def _open_to_read(path: Path) -> OpenedFile:
    inode, connection = inode_of(path), connect_to_read(path)
    try:
        check_owner(connection, path)
        if applied_count(connection) < len(MIGRATIONS):
            raise ArchiveError(
                str(path),
                "is of an older llama-mcp and has to be brought up to date, and cannot be written",
                "Make the file and its folder writable for the user that runs llama-mcp.",
            )
        _give_names(connection)
    except BaseException:
        connection.close()
        raise
    return OpenedFile(connection, inode, None, is_read_only=True)


def _refuse_newer(path: Path, version: int) -> None:
    if version > len(MIGRATIONS):
        raise ArchiveError(
            str(path),
            f"was written by a newer llama-mcp (its version {version}, this one knows "
            f"{len(MIGRATIONS)}) and was left as it is",
            "Update llama-mcp, or set LLAMA_MCP_HOME to another folder.",
        )


def _connect(path: Path, notice: str | None) -> OpenedFile:
    _make_private(path)
    inode = inode_of(path)
    # One worker at a time uses the connection, but not always the same thread (database.py).
    connection = sqlite3.connect(
        path, timeout=connecting.BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        check_owner(connection, path)
        _prepare(connection)
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return OpenedFile(connection, inode, notice)


def _make_private(path: Path) -> None:
    # SQLite would make the file by the umask; -wal and -shm take the file's own mode. No existing
    # file is opened here: closing it would drop the locks that SQLite holds on it.
    # Windows has no such modes: there the file has the access rights of its folder.
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    elif sys.platform != "win32" and path.stat().st_mode & 0o077:
        path.chmod(0o600)


def check_owner(connection: sqlite3.Connection, path: Path) -> None:
    """Raise ArchiveError when the file is newer than this program, or another program's."""
    connection.execute("PRAGMA query_only = ON")
    # These two come before the schema is read: an SQLite that is older than a newer file's schema
    # would call it malformed.
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    version = applied_count(connection)
    if owner == APPLICATION_ID:
        _refuse_newer(path, version)
    elif version or connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        raise ArchiveError(
            str(path),
            "is a database of another program and was left as it is",
            "Set LLAMA_MCP_HOME to another folder.",
        )
    connection.execute("PRAGMA query_only = OFF")


def _give_names(connection: sqlite3.Connection) -> None:
    """Have columns and functions known by the names that the statements use."""
    connection.row_factory = sqlite3.Row
    connection.create_function("searchable", 2, searchable, deterministic=True)


def _prepare(connection: sqlite3.Connection) -> None:
    _give_names(connection)
    connection.execute("PRAGMA journal_mode = WAL")
    prepare_syncs(connection)
    # What is deleted is overwritten, whatever this build's default.
    connection.execute("PRAGMA secure_delete = ON")
    # Some builds of SQLite call no function of ours from a trigger without it.
    connection.execute("PRAGMA trusted_schema = ON")


def _move_aside(path: Path) -> Path:
    moved_to = _free_name(path)
    moved: list[str] = []
    try:
        # The main file last: a -wal that stayed behind would be taken for the new file's.
        for suffix in ("-wal", "-shm", ""):
            source = Path(f"{path}{suffix}")
            if source.exists():
                source.rename(f"{moved_to}{suffix}")
                moved.append(suffix)
    except OSError:
        # Windows renames no file that another program has open. All of it stays together.
        for suffix in reversed(moved):
            Path(f"{moved_to}{suffix}").rename(f"{path}{suffix}")
        raise
    logger.info("A damaged archive was set aside as %s", moved_to)
    return moved_to


def _free_name(path: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    name = path.with_name(f"{path.name}.damaged-{stamp}")
    count = 1
    while name.exists():
        count += 1
        name = path.with_name(f"{path.name}.damaged-{stamp}-{count}")
    return name
