"""What is in the archive, read: a session, its turns, the list of sessions, what has changed."""

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.sessions.changes import (
    ChangedSession,
    OwnersList,
    SessionChanges,
    SessionMark,
)
from llama_mcp.sessions.errors import NoReplyUnderwayError
from llama_mcp.sessions.records import (
    INTERRUPTED,
    ArchivedTurn,
    Session,
    SessionList,
    TranscriptPage,
    TurnStatus,
)
from llama_mcp.sessions.sqlite.attaching import read_files
from llama_mcp.sessions.sqlite.naming import find_session
from llama_mcp.sessions.sqlite.rows import (
    SELECT_SIZES,
    SELECT_TURNS,
    build_turn_key,
    to_session,
    to_turn,
)
from llama_mcp.sessions.sqlite.store import Store, settle_if_possible
from llama_mcp.sessions.sqlite.underway import read_underway, turns_underway
from llama_mcp.sessions.texts import moment_text
from llama_mcp.wording import counted

_UNFINISHED = """
SELECT session_id, status FROM sessions JOIN json_each(?) ON session_id = value
JOIN turns ON turn_key = (sessions.session_key << 20) + turn_count
WHERE +owner = ? AND status IN ('in_progress', 'interrupted')
"""
# The greatest integer of SQLite. A test for NULL would keep the list from using its index.
_AFTER_ALL_CHANGES = 2**63 - 1
_AFTER_ALL_TIMES = "~"

# What of a session is in memory at once, unless one turn has more.
_PAGE_BYTES = 2 * 1024 * 1024
_EMPTY = SessionMark(0, ())
_LISTS = "SELECT owner, sessions, newest_key FROM owners WHERE newest_key > 0 ORDER BY owner"


def read_turns(
    connection: sqlite3.Connection, session: sqlite3.Row, first: int, last: int
) -> tuple[ArchivedTurn, ...]:
    """Return the turns from first to last, both included; fewer if the session has fewer."""
    key = session["session_key"]
    last = min(last, session["turn_count"])
    rows = connection.execute(
        SELECT_TURNS + "WHERE turns.turn_key BETWEEN ? AND ? ORDER BY turns.turn_key",
        (build_turn_key(key, first), build_turn_key(key, last)),
    )
    files = read_files(connection, key, first, last)
    return tuple(to_turn(row, files.get(row["turn"], ())) for row in rows)


def _as_known(
    store: Store, session: sqlite3.Row, turns: tuple[ArchivedTurn, ...]
) -> tuple[ArchivedTurn, ...]:
    """Return the turns; one whose writer is dead says so where that cannot be written."""
    is_open = turns and turns[-1].status is TurnStatus.IN_PROGRESS
    if not (is_open and store.is_read_only) or read_underway(store, session):
        return turns
    left = {"status": TurnStatus.INTERRUPTED, "error": INTERRUPTED}
    return (*turns[:-1], turns[-1].model_copy(update=left))


def last_model(store: Store, session_id: str, owner: str) -> str | None:
    """Return the name of the model that served the session last; None when none did."""
    session = find_session(store.connection, session_id, owner)
    key = session["session_key"]
    row = store.connection.execute(
        "SELECT model FROM turns WHERE turn_key BETWEEN ? AND ? AND model IS NOT NULL"
        " ORDER BY turn_key DESC LIMIT 1",
        (build_turn_key(key, 1), build_turn_key(key, session["turn_count"])),
    ).fetchone()
    return None if row is None else row["model"]


def read_session(store: Store, session_id: str, owner: str) -> Session:
    """Return the session without its turns."""
    return to_session(find_session(store.connection, session_id, owner))


def read_last_turn(store: Store, session_id: str, owner: str) -> ArchivedTurn:
    """Return the session's last turn."""
    settle_if_possible(store)
    with store.reading() as connection:
        session = find_session(connection, session_id, owner)
        count = session["turn_count"]
        if not count:
            raise NoReplyUnderwayError(session_id)
        return _as_known(store, session, read_turns(connection, session, count, count))[0]


def read_page(store: Store, session_id: str, offset: int, limit: int, owner: str) -> TranscriptPage:
    """Return up to limit turns after the first offset ones; fewer where they are long."""
    settle_if_possible(store)
    with store.reading() as connection:
        session = find_session(connection, session_id, owner)
        total = session["turn_count"]
        first = min(max(0, offset), total)
        last = _last_of_page(connection, session, first + 1, first + max(0, limit))
        turns = read_turns(connection, session, first + 1, last)
        turns = _as_known(store, session, turns)
    end = first + len(turns)
    behind = f"offset is {offset}, and the session has {counted(total, 'turn')}."
    return TranscriptPage(
        session=to_session(session),
        turns=turns,
        offset=first,
        total=total,
        next_offset=end if end < total else None,
        note=behind if offset > 0 and offset >= total else None,
    )


def _last_of_page(
    connection: sqlite3.Connection, session: sqlite3.Row, first: int, last: int
) -> int:
    """Return the last turn whose texts, with those before it, fit a page; at least the first."""
    key = session["session_key"]
    rows = connection.execute(
        SELECT_SIZES + "WHERE turns.turn_key BETWEEN ? AND ? ORDER BY turns.turn_key",
        (build_turn_key(key, first), build_turn_key(key, last)),
    )
    total_bytes = 0
    for turn, size_bytes in rows:
        total_bytes += size_bytes
        if total_bytes > _PAGE_BYTES and turn > first:
            return int(turn) - 1
    return last


@dataclass(frozen=True, slots=True)
class Before:
    """Where a list goes on: behind a place in it, and with sessions that changed before a time."""

    place: int = _AFTER_ALL_CHANGES
    time_utc: str = _AFTER_ALL_TIMES


def list_sessions(store: Store, limit: int, before: Before, owner: str) -> SessionList:
    """Return the owner's sessions that changed last, of those that changed before `before`."""
    with store.reading() as connection:
        total = count_sessions(connection, owner)
        rows = connection.execute(
            "SELECT * FROM sessions WHERE owner = ? AND last_change < ? AND updated_at_utc < ?"
            " ORDER BY last_change DESC LIMIT ?",
            (owner, before.place, before.time_utc, limit + 1),
        ).fetchall()
    sessions = tuple(map(to_session, rows[:limit]))
    return SessionList(sessions=sessions, total=total, next_before=next_before(rows, limit))


def count_sessions(connection: sqlite3.Connection, owner: str) -> int:
    """Return how many sessions the owner has."""
    row = connection.execute("SELECT sessions FROM owners WHERE owner = ?", (owner,)).fetchone()
    return 0 if row is None else row["sessions"]


def read_owners(store: Store) -> tuple[str, ...]:
    """Return the owners that have sessions, by name."""
    rows = store.connection.execute("SELECT owner FROM owners WHERE sessions > 0 ORDER BY owner")
    return tuple(row["owner"] for row in rows)


def next_before(rows: list[sqlite3.Row], limit: int) -> str | None:
    """Return the cursor of the next page; the rows are the page and one more if there is one."""
    return str(rows[limit - 1]["last_change"]) if len(rows) > limit else None


def parse_before(before: str | None) -> Before:
    """Return what a caller passes as before: a place that a page gave, a date, a time or nothing.

    Raises:
        InvalidArgumentError: It is none of these.
    """
    if before is None:
        return Before()
    text = before.strip()
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return Before(place=int(text))
    try:
        return Before(time_utc=moment_text(datetime.fromisoformat(text)))
    except (ValueError, OverflowError):
        raise InvalidArgumentError(
            "before",
            "is neither a place in the list nor a date",
            "Pass what the previous page gave, a date such as 2026-11-25, or leave it out.",
        ) from None


def changes_since(store: Store, mark: SessionMark | None) -> SessionChanges:
    """Return the sessions that changed since the mark; none when there is no mark."""
    with store.reading() as connection:
        last_change = connection.execute("SELECT last_change FROM totals").fetchone()[0]
        lists = map(OwnersList._make, connection.execute(_LISTS))
        now = SessionMark(last_change, tuple(lists))
        changed = () if mark in (None, now) else _changed_after(connection, mark or now, now)
    return SessionChanges(changed, _lists_changed(mark, now), now)


def changes_without_archive(mark: SessionMark | None) -> SessionChanges:
    """Return the changes when there is no file, or no longer one."""
    return SessionChanges((), _lists_changed(mark, _EMPTY), _EMPTY)


def owners_of(store: Store, session_ids: Collection[str]) -> dict[str, str]:
    """Return whose each of the ids is that are sessions."""
    rows = store.connection.execute(
        "SELECT session_id, owner FROM sessions JOIN json_each(?) ON session_id = value",
        (json.dumps(list(session_ids)),),
    )
    return {row["session_id"]: row["owner"] for row in rows}


def unfinished(store: Store, session_ids: Collection[str], owner: str) -> dict[str, str]:
    """Return how the last turn stands of those of the owner's sessions whose reply is not whole."""
    settle_if_possible(store)
    values = (json.dumps(list(session_ids)), owner)
    states = dict(store.connection.execute(_UNFINISHED, values))
    known = {turn.session_id for turn in turns_underway(store)} if store.is_read_only else states
    return states | dict.fromkeys(states.keys() - known, TurnStatus.INTERRUPTED.value)


def _changed_after(
    connection: sqlite3.Connection, mark: SessionMark, now: SessionMark
) -> tuple[ChangedSession, ...]:
    # A count that is lower than before is the count of another file.
    since = mark.last_change if mark.last_change <= now.last_change else 0
    rows = connection.execute(
        "SELECT session_id, owner FROM sessions WHERE last_change > ? ORDER BY last_change",
        (since,),
    )
    return tuple(map(ChangedSession._make, rows))


def _lists_changed(mark: SessionMark | None, now: SessionMark) -> frozenset[str]:
    if mark is None:
        return frozenset()
    return frozenset(each.owner for each in {*mark.lists} ^ {*now.lists})
