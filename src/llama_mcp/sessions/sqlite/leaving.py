"""Turns whose process has ended while llama-server may go on: found, and taken over.

Two processes may try at once: one of them becomes the writer, and to the other the turn is one of
a process that lives.
"""

import os
import sqlite3

from llama_mcp.sessions.begun_turns import BegunTurn
from llama_mcp.sessions.left_turns import AdoptedTurn, LeftTurn, StreamPoint
from llama_mcp.sessions.records import ArchivedTurn
from llama_mcp.sessions.sqlite.attaching import read_attached
from llama_mcp.sessions.sqlite.beginning import read_cache_facts, read_earlier
from llama_mcp.sessions.sqlite.calls import note_left
from llama_mcp.sessions.sqlite.naming import find_begun
from llama_mcp.sessions.sqlite.reading import read_turns
from llama_mcp.sessions.sqlite.rows import FROM_UNDERWAY, to_session
from llama_mcp.sessions.sqlite.store import Store
from llama_mcp.sessions.texts import seconds_since

_LEFT = (
    "SELECT session_id, owner, writer_id, underway.turn_key, stream_id, stream_run, stream_byte,"
    f" stream_state, started_at_utc {FROM_UNDERWAY} WHERE stream_id IS NOT NULL"
)
_LEFT_IN = f"{_LEFT} AND session_id = ? AND +owner = ?"


def left_turns(store: Store) -> tuple[LeftTurn, ...]:
    """Return the turns that nobody receives any more and that can perhaps be read on."""
    rows = store.connection.execute(f"{_LEFT} ORDER BY started_at_utc").fetchall()
    return tuple(_to_left_turn(row) for row in rows if _is_left(store, row))


def left_turn(store: Store, session_id: str, owner: str) -> LeftTurn | None:
    """Return the turn of the owner's session if it is one of them."""
    row = store.connection.execute(_LEFT_IN, (session_id, owner)).fetchone()
    return _to_left_turn(row) if row is not None and _is_left(store, row) else None


def stream_ids(store: Store) -> frozenset[str]:
    """Return the ids of the streams of all turns under way, whoever receives them."""
    rows = store.connection.execute("SELECT stream_id FROM underway WHERE stream_id IS NOT NULL")
    return frozenset(row["stream_id"] for row in rows)


def adopt_turn(store: Store, session_id: str, owner: str) -> AdoptedTurn | None:
    """Take the session's turn over from a process that has ended; None when there is none."""
    if store.is_read_only or left_turn(store, session_id, owner) is None:
        return None
    writer_id = store.writers.own_id()
    with store.writing_unsynced() as connection:
        row = connection.execute(_LEFT_IN, (session_id, owner)).fetchone()
        if row is None or not _is_left(store, row):
            return None
        connection.execute(
            "UPDATE underway SET writer_id = ?, writer_pid = ? WHERE turn_key = ?",
            (writer_id, os.getpid(), row["turn_key"]),
        )
        note_left(connection, row["turn_key"])
        begun, archived = read_begun(connection, session_id, row["stream_id"])
        return AdoptedTurn(begun, archived, _point_of(row))


def read_begun(
    connection: sqlite3.Connection, session_id: str, stream_id: str | None
) -> tuple[BegunTurn, ArchivedTurn]:
    """Return the session's last turn as it was begun, and as it stands."""
    session = find_begun(connection, session_id)
    number, first = session["turn_count"], session["first_turn_in_prompt"]
    (archived,) = read_turns(connection, session, number, number)
    # How the session stood before this turn.
    before = dict(session) | {"turn_count": number - 1}
    begun = BegunTurn(
        session=to_session(session),
        owner=session["owner"],
        turn=number,
        earlier=read_earlier(connection, session, first, number - 1),
        first_turn_in_prompt=first,
        cache=read_cache_facts(connection, before),
        stream_id=stream_id,
        attached=read_attached(connection, session["session_key"], first, number),
    )
    return begun, archived


def _to_left_turn(row: sqlite3.Row) -> LeftTurn:
    age_seconds = seconds_since(row["started_at_utc"])
    return LeftTurn(row["session_id"], row["owner"], _point_of(row), age_seconds)


def _is_left(store: Store, row: sqlite3.Row) -> bool:
    return not store.writers.is_alive(row["writer_id"])


def _point_of(row: sqlite3.Row) -> StreamPoint:
    return StreamPoint(
        row["stream_id"], row["stream_run"] or "", row["stream_byte"], row["stream_state"]
    )
