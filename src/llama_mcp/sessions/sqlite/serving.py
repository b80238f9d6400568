"""Which launches of llama-server have read a session, and so may have kept what they read."""

import sqlite3

from llama_mcp.sessions.records import Usage
from llama_mcp.sessions.sqlite.naming import find_session
from llama_mcp.sessions.sqlite.rows import build_turn_key
from llama_mcp.sessions.sqlite.store import Store

# What has read the session longer ago has too little of it. Each turn is read whole, which counts.
_LOOKED_AT = 16


def runs_of(store: Store, session_id: str) -> frozenset[str]:
    """Return the launches of llama-server that have served turns of the session."""
    session = find_session(store.connection, session_id)
    rows = store.connection.execute(
        "SELECT DISTINCT run FROM turns WHERE turn_key BETWEEN ? AND ? AND run IS NOT NULL",
        (_key(session, 1), _key(session, session["turn_count"])),
    )
    return frozenset(row["run"] for row in rows)


def served_before(store: Store, session_id: str, turn: int) -> dict[str, Usage]:
    """Return the launches that have served turns before that one, and each one's last turn."""
    session = find_session(store.connection, session_id)
    rows = store.connection.execute(
        "SELECT run, prompt_tokens, completion_tokens FROM turns"
        " WHERE turn_key BETWEEN ? AND ? AND run IS NOT NULL ORDER BY turn_key",
        (_key(session, max(1, turn - _LOOKED_AT)), _key(session, turn - 1)),
    )
    return {
        run: Usage(prompt_tokens=prompt, completion_tokens=completion)
        for run, prompt, completion in rows
    }


def note_run(store: Store, session_id: str, turn: int, run: str) -> None:
    """Write down that a turn under way is served by another launch than it was begun with."""
    with store.writing_unsynced() as connection:
        key = _key(find_session(connection, session_id), turn)
        connection.execute("UPDATE turns SET run = ? WHERE turn_key = ?", (run, key))


def _key(session: sqlite3.Row, turn: int) -> int:
    return build_turn_key(session["session_key"], turn)
