"""When SQLite waits until the disk has what was written; docs/reliability.md says what for.

A commit is appended to the log beside the file, `-wal`. With synchronous = FULL SQLite then syncs
the log, and so all that was appended before. With NORMAL it syncs only as it brings the log into
the file (a checkpoint), and with the first write into a log that begins anew
(sqlite.org/pragma.html, sqlite.org/wal.html). Both are done together with a commit that is synced,
so that a write for which somebody waits finds neither to be done.
"""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Literal

from llama_mcp.sessions.sqlite.migrations import APPLICATION_ID

Synchronous = Literal["FULL", "NORMAL"]

# How many pages of 4 KiB the log may have before SQLite brings it into the file: its own default,
# and what it may come to while long replies are saved again and again, and none ends.
_CHECKPOINT_PAGES = {"FULL": 1000, "NORMAL": 4000}
# A log that one long transaction made huge is cut back to this.
_LOG_LIMIT_BYTES = 64 * 1024 * 1024


def prepare_syncs(connection: sqlite3.Connection) -> None:
    """Have every commit synced until a WriteLog says otherwise."""
    connection.execute("PRAGMA synchronous = FULL")
    # macOS: without it a sync leaves what was written in the disk's own cache.
    connection.execute("PRAGMA fullfsync = ON")
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_LIMIT_BYTES}")


class WriteLog:
    """The log of a connection that prepare_syncs has seen."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._sqlite = connection
        self._path = path
        self._synchronous: Synchronous = "FULL"
        self._checkpoint = self._last_checkpoint()

    def sync_commits(self, synchronous: Synchronous) -> None:
        """Say how the next transactions are committed."""
        if synchronous != self._synchronous:
            pages = _CHECKPOINT_PAGES[synchronous]
            self._sqlite.execute(f"PRAGMA wal_autocheckpoint = {pages}")
            self._sqlite.execute(f"PRAGMA synchronous = {synchronous}")
            self._synchronous = synchronous

    def begin_anew(self) -> None:
        """Begin the log anew if there was a checkpoint; otherwise the next write would."""
        last = self._last_checkpoint()
        if last == self._checkpoint:
            return
        self._checkpoint = last
        # Whatever stands in the way, the next write does the same.
        with suppress(sqlite3.Error):
            # A write of what stays as it is; a row that does SQLite would not write.
            self._sqlite.execute(f"PRAGMA application_id = {APPLICATION_ID}")

    def _last_checkpoint(self) -> int | None:
        # Nothing but a checkpoint writes the file itself.
        try:
            return os.stat(self._path).st_mtime_ns
        except OSError:
            return None  # moved away while it was in use
