"""A connection that only reads the archive, whoever writes it meanwhile.

It needs the standard library alone: the list of resources is told before anything else is imported.
"""

import os
import sqlite3
from pathlib import Path, PurePath
from urllib.parse import quote

# How long one attempt waits for another process; sessions/patience.py says how often it is made.
BUSY_TIMEOUT_SECONDS = 0.25


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Return a connection that reads the archive and writes nothing, not even beside it.

    Raises:
        sqlite3.Error: it cannot be read so.
    """
    try:
        return _connected(read_only_uri(path))
    except sqlite3.OperationalError:
        # Where SQLite can make no -shm it has to be told that nobody writes the file, and then it
        # does not look at a -wal.
        if _has_wal(path):
            raise
        return _connected(f"{read_only_uri(path)}&immutable=1")


def read_only_uri(path: PurePath) -> str:
    r"""Return the URI by which SQLite opens a file for reading only.

    Not the path's own URI: SQLite takes no host in it, which is what `\\server\share` becomes.
    """
    return f"file:{quote(os.fsencode(path), safe='')}?mode=ro"


def _connected(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri, uri=True, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _has_wal(path: Path) -> bool:
    try:
        return os.stat(f"{path}-wal").st_size > 0
    except FileNotFoundError:
        return False
