"""The door of this room: the archive's file, opened on first use, and what happens to it in use.

What SQLite and the file system raise leaves this module as ArchiveError. An ending that cannot be
written (a full disk) is kept in memory. It is written before the next work, and on closing, so the
session continues from the whole reply.
"""

import os
import sqlite3
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from llama_mcp.errors import LlamaMCPError
from llama_mcp.sessions.errors import ArchiveError, SessionBusyError
from llama_mcp.sessions.records import TurnEnding
from llama_mcp.sessions.sqlite.failures import (
    archive_error,
    damage_error,
    is_damage,
    is_search_damage,
    left_damaged_error,
)
from llama_mcp.sessions.sqlite.opening import move_aside_if_unchanged
from llama_mcp.sessions.sqlite.searching import rebuild_index
from llama_mcp.sessions.sqlite.statistics import Statistics, read_statistics
from llama_mcp.sessions.sqlite.store import Store
from llama_mcp.sessions.sqlite.writing import end_turn

T = TypeVar("T")


class Database:
    """One file of sessions; used by one thread at a time, except where a method says otherwise."""

    def __init__(self, path: Path, *, may_replace: bool = True) -> None:
        self._path = path
        self._may_replace = may_replace
        self._store: Store | None = None
        self._notice: str | None = None
        self._unwritten: dict[tuple[str, int], tuple[TurnEnding, ArchiveError]] = {}
        self.has_short_waits = False
        self._opened_at_change: Hashable = None

    def take_notice(self) -> str | None:
        """Return, once, what the user should know: that a damaged file was moved aside."""
        notice, self._notice = self._notice, None
        return notice

    def exists(self) -> bool:
        """Return whether there is a file. Any thread may ask."""
        return os.path.exists(self._path)

    def run(self, work: Callable[[Store], T]) -> T:
        """Do the work on the open file.

        Raises:
            LlamaMCPError: What the work raises.
            ArchiveError: The file cannot be opened, read or written.
        """
        with explained(self._path):
            return self._attempt(work)

    def end_turn(self, session_id: str, turn: int, ending: TurnEnding) -> str:
        """Write down how the turn ended, now or as soon as it can be written.

        Returns:
            Whose it is.

        Raises:
            ArchiveError: It cannot be written now.
        """
        self._unwritten.pop((session_id, turn), None)  # of an attempt before this one
        try:
            return self.run(lambda store: end_turn(store, session_id, turn, ending))
        except ArchiveError as error:
            self._unwritten[session_id, turn] = (ending, error)
            raise

    def statistics(self, known: Statistics, owner: str | None) -> Statistics:
        """Return the statistics of an owner's turns, or of all, on a connection of its own.

        Any thread may ask.
        """
        with explained(self._path):
            return read_statistics(self._path, known, owner)

    def last_change(self) -> Hashable:
        """Return a value that changes with every write; opens no file. Any thread may ask."""
        return tuple(_change_of(Path(f"{self._path}{suffix}")) for suffix in ("", "-wal"))

    def shorten_waits(self) -> None:
        """Wait for other processes only briefly from now on. Any thread may ask."""
        self.has_short_waits = True

    def close(self) -> None:
        """Close the file; the next work opens it again."""
        if self._store is not None:
            self._write_late_endings(self._store)
        with suppress(sqlite3.Error, OSError):
            self._forget_store()

    def _attempt(self, work: Callable[[Store], T]) -> T:
        store = self._opened()
        self._write_late_endings(store)
        try:
            return work(store)
        except SessionBusyError as error:
            raise self._why_not_ended(error.session_id) or error from None
        except sqlite3.DatabaseError as error:
            damage = error
        if is_search_damage(damage):
            try:
                rebuild_index(store)
                return work(store)
            except sqlite3.DatabaseError as error:
                damage = error
        if is_damage(damage):
            raise self._move_aside(store, damage) from damage
        raise damage

    def _opened(self) -> Store:
        if self._store is not None and not self._store.is_current():
            self._notice = (
                f"The archive {self._path} was moved or deleted while it was in use. The file that "
                "is now at this path is used from here on."
            )
            self._forget_store()
        if self._store is not None and self._store.is_read_only and self._has_changed_since():
            self._forget_store()
        if self._store is None:
            self._opened_at_change = self.last_change()
            self._store = Store(self._path, may_replace=self._may_replace)
            self._notice = self._store.notice or self._notice
        if self.has_short_waits:
            self._store.shorten_waits()
        return self._store

    def _has_changed_since(self) -> bool:
        # A file that may only be read is taken for one that nobody writes (opening.py).
        return self.last_change() != self._opened_at_change

    def _write_late_endings(self, store: Store) -> None:
        for (session_id, turn), (ending, _) in list(self._unwritten.items()):
            try:
                end_turn(store, session_id, turn, ending)
            except sqlite3.Error:
                return
            except LlamaMCPError:
                pass  # the file was replaced: the turn is not in this one
            del self._unwritten[session_id, turn]

    def _why_not_ended(self, session_id: str) -> ArchiveError | None:
        # The reply is complete; what is missing is the room on the disk for its end.
        errors = [
            why for (busy_id, _), (_, why) in self._unwritten.items() if busy_id == session_id
        ]
        return errors[-1] if errors else None

    def _move_aside(self, store: Store, damage: sqlite3.DatabaseError) -> ArchiveError:
        self._forget_store()
        if not self._may_replace:
            return left_damaged_error(self._path, damage)
        moved_to = move_aside_if_unchanged(self._path, store.inode)
        return damage_error(self._path, moved_to, damage)

    def _forget_store(self) -> None:
        if self._store is not None:
            store, self._store = self._store, None
            store.close()


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise what SQLite and the file system raise as ArchiveError."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise archive_error(path, error) from error


def _change_of(path: Path) -> tuple[int, int] | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size
