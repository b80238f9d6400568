"""Turns, written as they happen: begun, saved while the reply comes in, ended."""

import os
import sqlite3
from dataclasses import astuple, replace

from llama_mcp.sessions.begun_turns import BegunTurn
from llama_mcp.sessions.errors import ArchiveError, SessionUnderwayError
from llama_mcp.sessions.history import ImportedHistory, import_history
from llama_mcp.sessions.left_turns import StreamPoint
from llama_mcp.sessions.records import NewTurn, TurnEnding
from llama_mcp.sessions.sqlite.attaching import insert_attached, read_attached
from llama_mcp.sessions.sqlite.beginning import read_cache_facts, read_earlier
from llama_mcp.sessions.sqlite.calls import note_call
from llama_mcp.sessions.sqlite.changing import insert_session, touch
from llama_mcp.sessions.sqlite.naming import find_begun, find_session
from llama_mcp.sessions.sqlite.rows import (
    ENDING_COLUMNS,
    TURNS_PER_SESSION,
    build_turn_key,
    to_ending_values,
    to_json,
    to_session,
)
from llama_mcp.sessions.sqlite.store import Store, settle_dead_turns
from llama_mcp.sessions.sqlite.underway import refuse_busy
from llama_mcp.sessions.texts import clean_text, title_from, utc_now

_ENDING = ", ".join(f"{name} = :{name}" for name in ENDING_COLUMNS if name != "model")
_END_TURN = f"""
UPDATE turns SET {_ENDING}, model = coalesce(:model, model), ended_at_utc = :ended_at_utc
WHERE turn_key = :turn_key
"""


def begin_turn(store: Store, session_id: str | None, new: NewTurn, owner: str) -> BegunTurn:
    """Write the message down, in a new session of the owner's when none is named."""
    imported = import_history(new.system_prompt, new.history)
    settle_dead_turns(store)
    writer_id = store.writers.own_id()
    with store.writing_unsynced() as connection:
        if session_id is None:
            session = _begin_session(connection, imported, new, owner)
        else:
            session = find_session(connection, session_id, owner)
            refuse_busy(store, session)
            _refuse_first_turn_parameters(session, new)
        begun = _next_turn(connection, session)
        key = build_turn_key(session["session_key"], begun.turn)
        _insert_turn(connection, key, new, writer_id)
        insert_attached(connection, key, new.attached)
        sent = read_attached(connection, session["session_key"], begun.turn, begun.turn)
        touch(connection, session["session_key"], turn_count=begun.turn)
        changed = find_begun(connection, session["session_id"])
    return replace(
        begun,
        session=to_session(changed),
        stream_id=new.stream_id,
        attached={**begun.attached, **sent},
    )


def next_turn(store: Store, session_id: str, owner: str) -> BegunTurn:
    """Return the turn that would begin in the session, without its message."""
    with store.reading() as connection:
        return _next_turn(connection, find_session(connection, session_id, owner))


def _next_turn(connection: sqlite3.Connection, session: sqlite3.Row) -> BegunTurn:
    last, first = session["turn_count"], session["first_turn_in_prompt"]
    return BegunTurn(
        session=to_session(session),
        owner=session["owner"],
        turn=last + 1,
        earlier=read_earlier(connection, session, first, last),
        first_turn_in_prompt=first,
        cache=read_cache_facts(connection, session),
        attached=read_attached(connection, session["session_key"], first, last),
    )


def save_partial(
    store: Store,
    session_id: str,
    turn: int,
    reply: str,
    reasoning: str,
    point: StreamPoint | None = None,
) -> None:
    """Write down what was received of the reply so far, both texts whole, and where it goes on."""
    with store.writing_unsynced() as connection:
        key = _find_turn(store, session_id, turn)
        texts = (clean_text(reasoning), clean_text(reply))
        # One statement: what is saved ends exactly where reading on begins.
        saved = connection.execute(
            "UPDATE underway SET saved_at_utc = ?, reasoning = ?, reply = ?, stream_id = ?,"
            " stream_run = ?, stream_byte = ?, stream_state = ? WHERE turn_key = ?",
            (utc_now(), *texts, *_point_values(point), key),
        )
        if not saved.rowcount:
            # Another process took this writer for dead (its lock file was removed).
            connection.execute(
                "UPDATE turns SET reasoning = ?, reply = ?"
                " WHERE turn_key = ? AND status = 'interrupted'",
                (*texts, key),
            )


def ask_cancel(store: Store, session_id: str, turn: int, owner: str) -> StreamPoint | None:
    """Let the process that receives the reply know that it should stop; return its stream."""
    with store.writing_unsynced() as connection:
        find_session(connection, session_id, owner)
        row = connection.execute(
            "UPDATE underway SET is_cancel_asked = 1 WHERE turn_key = ?"
            " RETURNING stream_id, stream_run",
            (_find_turn(store, session_id, turn),),
        ).fetchone()
        has_stream = row is not None and row["stream_id"] and row["stream_run"]
        return StreamPoint(row["stream_id"], row["stream_run"]) if has_stream else None


def end_turn(store: Store, session_id: str, turn: int, ending: TurnEnding) -> str:
    """Write down how the turn ended, and return whose it is."""
    with store.writing() as connection:
        key = _find_turn(store, session_id, turn)
        values = to_ending_values(ending) | {"ended_at_utc": utc_now(), "turn_key": key}
        connection.execute(_END_TURN, values)
        connection.execute("DELETE FROM underway WHERE turn_key = ?", (key,))
        touch(connection, key // TURNS_PER_SESSION)
        row = connection.execute("SELECT owner FROM sessions WHERE session_id = ?", (session_id,))
        owner: str = row.fetchone()["owner"]
        return owner


def _find_turn(store: Store, session_id: str, turn: int) -> int:
    session = store.connection.execute(
        "SELECT session_key, turn_count FROM sessions WHERE session_id = ?", (session_id,)
    ).fetchone()
    if session is None or not 1 <= turn <= session["turn_count"]:
        # The caller began this turn, so it began it in another file.
        raise ArchiveError(
            str(store.path),
            f"has no turn {turn} of session {session_id} any more: the file was replaced",
            "What was received of the reply is not kept; begin a new session.",
        )
    return build_turn_key(session["session_key"], turn)


def _begin_session(
    connection: sqlite3.Connection, imported: ImportedHistory, new: NewTurn, owner: str
) -> sqlite3.Row:
    first_message = imported.exchanges[0][0] if imported.exchanges else new.message
    session = insert_session(
        connection,
        title_from(first_message),
        _clean(imported.system_prompt),
        len(imported.exchanges),
        owner,
    )
    now = utc_now()
    connection.executemany(
        "INSERT INTO turns (turn_key, status, imported, sampling, started_at_utc, ended_at_utc,"
        " message, reply) VALUES (?, 'complete', 1, '{}', ?, ?, ?, ?)",
        (
            (build_turn_key(session["session_key"], turn), now, now, clean_text(m), clean_text(r))
            for turn, (m, r) in enumerate(imported.exchanges, start=1)
        ),
    )
    return session


def _insert_turn(
    connection: sqlite3.Connection, turn_key: int, new: NewTurn, writer_id: str
) -> None:
    now = utc_now()
    if new.call is not None:
        note_call(connection, turn_key, new.call)
    save_to = to_json(new.save_to.model_dump()) if new.save_to else None
    model, message = _clean(new.model), clean_text(new.message)
    connection.execute(
        "INSERT INTO turns (turn_key, status, model, sampling, started_at_utc, message, run,"
        " save_to) VALUES (?, 'in_progress', ?, ?, ?, ?, ?, ?)",
        (turn_key, model, to_json(new.sampling), now, message, new.run, save_to),
    )
    connection.execute(
        "INSERT INTO underway (turn_key, writer_id, writer_pid, saved_at_utc, stream_id,"
        " stream_run) VALUES (?, ?, ?, ?, ?, ?)",
        (turn_key, writer_id, os.getpid(), now, new.stream_id, new.run),
    )


def _refuse_first_turn_parameters(session: sqlite3.Row, new: NewTurn) -> None:
    if new.system_prompt is not None:
        raise SessionUnderwayError(session["session_id"], "system_prompt")
    if new.history:
        raise SessionUnderwayError(session["session_id"], "history")


def _point_values(point: StreamPoint | None) -> tuple[str | int | None, ...]:
    return (None, None, 0, None) if point is None else astuple(point)


def _clean(text: str | None) -> str | None:
    return None if text is None else clean_text(text)
