"""The open archive: its connection, its writers, and the transactions that everything goes through.

reading.py, searching.py, writing.py and changing.py work on a Store. What is always true: a turn
has a row in underway exactly while its status is in_progress; a session has turn_count turns,
numbered from 1 without a gap; the search index has the words of every title and every ended turn.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from llama_mcp.sessions.records import INTERRUPTED
from llama_mcp.sessions.sqlite.job_rows import gather_pieces, jobs_of
from llama_mcp.sessions.sqlite.opening import inode_of, open_file
from llama_mcp.sessions.sqlite.syncing import Synchronous, WriteLog
from llama_mcp.sessions.sqlite.writers import Writers

# Clients kill a server 2 s after they have closed its stdin.
SHORT_TIMEOUT_MS = 400


class Store:
    """One connection to the archive; used by one thread at a time."""

    def __init__(self, path: Path, *, may_replace: bool = True) -> None:
        """Open the archive, begin or migrate it as needed; open_file says what it raises."""
        opened = open_file(path, may_replace=may_replace)
        self.connection = opened.connection
        self.notice = opened.notice
        self.inode = opened.inode
        self.is_read_only = opened.is_read_only
        self.writers = Writers(path.with_name("writers"))
        self.path = path
        self._log = WriteLog(opened.connection, path)

    def is_current(self) -> bool:
        """Return whether the file at the path is still the one that is open."""
        return inode_of(self.path) == self.inode

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Commit everything that is done inside, or nothing of it.

        What is committed outlives a power cut, and so does all that was committed before.
        """
        yield from self._committed("FULL")
        self._log.begin_anew()

    @contextmanager
    def writing_unsynced(self) -> Iterator[sqlite3.Connection]:
        """Do the same without waiting for the disk.

        What is committed outlives this process; a power cut may undo it.
        """
        yield from self._committed("NORMAL")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Show the same state to every statement inside."""
        return self._transaction("BEGIN")

    def shorten_waits(self) -> None:
        """Let writes wait for other processes only briefly from now on."""
        self.connection.execute(f"PRAGMA busy_timeout = {SHORT_TIMEOUT_MS}")

    def close(self) -> None:
        """Close the connection and give the writer's lock back."""
        try:
            self.connection.close()
        finally:
            self.writers.close()

    def _committed(self, synchronous: Synchronous) -> Iterator[sqlite3.Connection]:
        self._log.sync_commits(synchronous)
        # IMMEDIATE: waits for another process's write here, not at some statement further on.
        yield from self._transaction("BEGIN IMMEDIATE")

    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        self.connection.execute(begin)
        try:
            yield self.connection
            self.connection.execute("COMMIT")
        except BaseException:
            # On a full disk SQLite has rolled back already.
            with suppress(sqlite3.Error):
                self.connection.execute("ROLLBACK")
            raise


def settle_dead_turns(store: Store) -> None:
    """Mark the turns interrupted whose writer died, with the text that it had saved.

    Not those whose replies another process may read on (leaving.py). Where nothing may be written
    they are shown as they were left.
    """
    if store.is_read_only:
        return
    rows = store.connection.execute(
        "SELECT DISTINCT writer_id FROM underway WHERE stream_id IS NULL"
    ).fetchall()
    dead = [row["writer_id"] for row in rows if not store.writers.is_alive(row["writer_id"])]
    if not dead:
        return
    # Whoever opens the archive after a power cut finds the same.
    with store.writing_unsynced() as connection:
        for writer_id in dead:
            _interrupt_turns_of(connection, writer_id)


def _interrupt_turns_of(connection: sqlite3.Connection, writer_id: str) -> None:
    jobs = jobs_of(connection, writer_id)
    connection.execute(
        """
        UPDATE turns SET status = 'interrupted', error = ?, ended_at_utc = underway.saved_at_utc,
            reasoning = underway.reasoning, reply = underway.reply
        FROM underway
        WHERE turns.turn_key = underway.turn_key AND underway.writer_id = ?
            AND underway.stream_id IS NULL
        """,
        (INTERRUPTED, writer_id),
    )
    connection.execute(
        "DELETE FROM underway WHERE writer_id = ? AND stream_id IS NULL", (writer_id,)
    )
    for turn_key in jobs:
        gather_pieces(connection, turn_key)


def settle_if_possible(store: Store) -> None:
    """Settle what dead processes have left, where the archive can be written."""
    # The archive can be read on a full disk, too.
    with suppress(sqlite3.OperationalError):
        settle_dead_turns(store)
