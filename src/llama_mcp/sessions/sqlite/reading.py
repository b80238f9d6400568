"""What is in the archive, read: a session, its turns, the list of sessions, what has changed."""

import json
import sqlite3
from collections.abc import Collection
from contextlib import suppress

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.sessions.errors import NoReplyUnderwayError, SessionBusyError, SessionNotFoundError
from llama_mcp.sessions.records import (
    ArchivedTurn,
    CacheFacts,
    Session,
    SessionChanges,
    SessionList,
    SessionMark,
    TranscriptPage,
)
from llama_mcp.sessions.sqlite.rows import SELECT_TURNS, build_turn_key, to_session, to_turn
from llama_mcp.sessions.sqlite.store import Store, settle_dead_turns

# The greatest integer of SQLite. A test for NULL would keep the list from using its index.
_AFTER_ALL_CHANGES = 2**63 - 1

_MARK = """
SELECT last_change, sessions, (SELECT coalesce(max(session_key), 0) FROM sessions) FROM totals
"""
_EMPTY = SessionMark(last_change=0, sessions=0, newest_key=0)


def _settle_if_possible(store: Store) -> None:
    # The archive can be read on a full disk, too.
    with suppress(sqlite3.OperationalError):
        settle_dead_turns(store)


def find_session(connection: sqlite3.Connection, session_id: str) -> sqlite3.Row:
    """Return the session's row."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM sessions WHERE session_id = ?", (session_id,)
    ).fetchone()
    if row is None:
        raise SessionNotFoundError(session_id)
    return row


def is_underway(connection: sqlite3.Connection, session: sqlite3.Row) -> bool:
    """Return whether a reply is being generated in the session."""
    key = build_turn_key(session["session_key"], session["turn_count"])
    found = connection.execute("SELECT 1 FROM underway WHERE turn_key = ?", (key,)).fetchone()
    return found is not None


def refuse_busy(connection: sqlite3.Connection, session: sqlite3.Row) -> None:
    """Raise SessionBusyError while a reply is being generated in the session."""
    if is_underway(connection, session):
        raise SessionBusyError(session["session_id"])


def check_idle(store: Store, session_id: str) -> None:
    """Raise SessionBusyError while a reply is being generated in the session."""
    _settle_if_possible(store)
    with store.reading() as connection:
        refuse_busy(connection, find_session(connection, session_id))


def read_turns(
    connection: sqlite3.Connection, session: sqlite3.Row, first: int, last: int
) -> tuple[ArchivedTurn, ...]:
    """Return the turns from first to last, both included; fewer if the session has fewer."""
    key = session["session_key"]
    rows = connection.execute(
        SELECT_TURNS + "WHERE turns.turn_key BETWEEN ? AND ? ORDER BY turns.turn_key",
        (build_turn_key(key, first), build_turn_key(key, min(last, session["turn_count"]))),
    )
    return tuple(map(to_turn, rows))


def read_cache_facts(connection: sqlite3.Connection, session: sqlite3.Row) -> CacheFacts:
    """Return what is known before a turn about what llama-server can have kept of the session."""
    key, turn = session["session_key"], session["turn_count"]
    last = connection.execute(
        "SELECT run, imported, ended_at_utc FROM turns WHERE turn_key = ?",
        (build_turn_key(key, turn),),
    ).fetchone()
    is_copied = session["forked_at_turn"] is not None and turn <= session["forked_at_turn"]
    if last is None or last["imported"] or is_copied:
        return CacheFacts(True, None, False, 0)
    # Only sessions that changed since this one did can have been served since.
    others = connection.execute(
        """
        SELECT count(*) FROM sessions
        JOIN turns ON turns.turn_key = (sessions.session_key << 20) + sessions.turn_count
        WHERE sessions.last_change > ? AND turns.run = ?
            AND (turns.ended_at_utc IS NULL OR turns.ended_at_utc >= ?)
        """,
        (session["last_change"], last["run"], last["ended_at_utc"]),
    ).fetchone()[0]
    is_changed = session["system_prompt_changed_after_turn"] == turn
    return CacheFacts(False, last["run"], is_changed, others)


def read_session(store: Store, session_id: str) -> Session:
    """Return the session without its turns."""
    return to_session(find_session(store.connection, session_id))


def read_last_turn(store: Store, session_id: str) -> ArchivedTurn:
    """Return the session's last turn."""
    _settle_if_possible(store)
    with store.reading() as connection:
        session = find_session(connection, session_id)
        count = session["turn_count"]
        if not count:
            raise NoReplyUnderwayError(session_id)
        return read_turns(connection, session, count, count)[0]


def read_page(store: Store, session_id: str, offset: int, limit: int) -> TranscriptPage:
    """Return up to limit turns after the first offset ones."""
    _settle_if_possible(store)
    with store.reading() as connection:
        session = find_session(connection, session_id)
        total = session["turn_count"]
        offset = min(max(0, offset), total)
        turns = read_turns(connection, session, offset + 1, offset + max(0, limit))
    end = offset + len(turns)
    return TranscriptPage(
        session=to_session(session),
        turns=turns,
        offset=offset,
        total=total,
        next_offset=end if end < total else None,
    )


def list_sessions(store: Store, limit: int, before: int) -> SessionList:
    """Return the sessions that changed last, of those that changed before `before`."""
    with store.reading() as connection:
        total = connection.execute("SELECT sessions FROM totals").fetchone()[0]
        rows = connection.execute(
            "SELECT * FROM sessions WHERE last_change < ? ORDER BY last_change DESC LIMIT ?",
            (before, limit + 1),
        ).fetchall()
    sessions = tuple(map(to_session, rows[:limit]))
    return SessionList(sessions=sessions, total=total, next_before=next_before(rows, limit))


def next_before(rows: list[sqlite3.Row], limit: int) -> str | None:
    """Return the cursor of the next page; the rows are the page and one more if there is one."""
    return str(rows[limit - 1]["last_change"]) if len(rows) > limit else None


def parse_before(before: str | None) -> int:
    """Return the cursor as the change it stands for; without one, a change after all."""
    if before is None:
        return _AFTER_ALL_CHANGES
    text = before.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InvalidArgumentError(
            "before",
            "is not a place in the list",
            "Pass what the previous page gave, or leave it out.",
        )
    return int(text)


def complete_ids(store: Store, prefix: str, limit: int) -> tuple[str, ...]:
    """Return the ids that begin with the prefix, the session that changed last first."""
    rows = store.connection.execute(
        "SELECT session_id FROM sessions WHERE session_id >= ?1 AND session_id < ?1 || '~'"
        " ORDER BY last_change DESC LIMIT ?2",
        (prefix, limit),
    )
    return tuple(row["session_id"] for row in rows)


def changes_since(store: Store, mark: SessionMark | None) -> SessionChanges:
    """Return the sessions that changed since the mark; none when there is no mark."""
    with store.reading() as connection:
        now = SessionMark(*connection.execute(_MARK).fetchone())
        changed = () if mark in (None, now) else _changed_after(connection, mark or now, now)
    return SessionChanges(changed, _is_list_changed(mark, now), now)


def changes_without_archive(mark: SessionMark | None) -> SessionChanges:
    """Return the changes when there is no file, or no longer one."""
    return SessionChanges((), _is_list_changed(mark, _EMPTY), _EMPTY)


def existing_ids(store: Store, session_ids: Collection[str]) -> frozenset[str]:
    """Return those of the ids that are sessions."""
    rows = store.connection.execute(
        "SELECT session_id FROM sessions JOIN json_each(?) ON session_id = value",
        (json.dumps(list(session_ids)),),
    )
    return frozenset(row["session_id"] for row in rows)


def _changed_after(
    connection: sqlite3.Connection, mark: SessionMark, now: SessionMark
) -> tuple[str, ...]:
    # A count that is lower than before is the count of another file.
    since = mark.last_change if mark.last_change <= now.last_change else 0
    rows = connection.execute(
        "SELECT session_id FROM sessions WHERE last_change > ? ORDER BY last_change", (since,)
    )
    return tuple(row["session_id"] for row in rows)


def _is_list_changed(mark: SessionMark | None, now: SessionMark) -> bool:
    if mark is None:
        return False
    return (mark.sessions, mark.newest_key) != (now.sessions, now.newest_key)
