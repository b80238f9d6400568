"""Reads which replies are being generated, and by whom."""

import sqlite3

from llama_mcp.sessions.errors import SessionBusyError
from llama_mcp.sessions.records import EarlierUnderway, TurnUnderway
from llama_mcp.sessions.sqlite.naming import find_begun, find_session
from llama_mcp.sessions.sqlite.rows import (
    FROM_UNDERWAY,
    RUN_UNDERWAY,
    SELECT_UNDERWAY,
    build_turn_key,
)
from llama_mcp.sessions.sqlite.store import Store, settle_if_possible


def read_underway(store: Store, session: sqlite3.Row) -> TurnUnderway | None:
    """Return the turn whose reply is being generated in the session; None when it is idle."""
    key = build_turn_key(session["session_key"], session["turn_count"])
    row = store.connection.execute(SELECT_UNDERWAY + "WHERE turn_key = ?", (key,)).fetchone()
    return None if row is None else _to_underway(store, row)


def _to_underway(store: Store, row: sqlite3.Row) -> TurnUnderway | None:
    values = dict(row)
    writer_id, stream_id = values.pop("writer_id"), values.pop("stream_id")
    can_be_left = stream_id is not None or store.is_read_only
    is_left = can_be_left and not store.writers.is_alive(writer_id)
    # Where nothing can be written nobody reads its reply on.
    return None if is_left and store.is_read_only else TurnUnderway(**values, is_left=is_left)


def turns_underway(store: Store) -> tuple[TurnUnderway, ...]:
    """Return the turns whose replies are being generated, by all processes, oldest first."""
    settle_if_possible(store)
    rows = store.connection.execute(SELECT_UNDERWAY + "ORDER BY started_at_utc")
    return tuple(turn for row in rows if (turn := _to_underway(store, row)))


def refuse_busy(store: Store, session: sqlite3.Row) -> None:
    """Raise SessionBusyError while a reply is being generated in the session."""
    if underway := read_underway(store, session):
        raise SessionBusyError(underway)


def is_cancel_asked(store: Store, session_id: str, turn: int) -> bool:
    """Return whether a process wants the reply to be stopped."""
    row = store.connection.execute(
        "SELECT is_cancel_asked FROM sessions JOIN underway ON turn_key = (session_key << 20) + ?"
        " WHERE session_id = ?",
        (turn, session_id),
    ).fetchone()
    return row is not None and bool(row["is_cancel_asked"])


def check_idle(store: Store, session_id: str, owner: str) -> None:
    """Raise SessionBusyError while a reply is being generated in the session."""
    settle_if_possible(store)
    with store.reading() as connection:
        refuse_busy(store, find_session(connection, session_id, owner))


def earlier_underway(store: Store, session_id: str, run: str) -> EarlierUnderway:
    """Return the turns under way, with this launch, that began before this session's."""
    settle_if_possible(store)
    began = f"SELECT started_at_utc {FROM_UNDERWAY} WHERE session_id = ?1"
    rows = store.connection.execute(
        f"SELECT session_id, owner {FROM_UNDERWAY} WHERE {RUN_UNDERWAY} = ?2"
        f" AND started_at_utc < ({began}) ORDER BY started_at_utc",
        (session_id, run),
    ).fetchall()
    owner = find_begun(store.connection, session_id)["owner"] if rows else ""
    own = tuple(row["session_id"] for row in rows if row["owner"] == owner)
    return EarlierUnderway(own, len(rows) - len(own))
