"""Which launches of llama-server have read a session, and so may have kept what they read."""

import sqlite3

from llama_mcp.sessions.begun_turns import MOST_OTHER_SESSIONS
from llama_mcp.sessions.records import Usage
from llama_mcp.sessions.sqlite.naming import find_begun
from llama_mcp.sessions.sqlite.rows import build_turn_key
from llama_mcp.sessions.sqlite.store import Store

# What has read the session longer ago has too little of it. Each turn is read whole, which counts.
_LOOKED_AT = 16
# So many turns of another session: one that was served has mostly gone on since.
_OTHERS_LOOKED_AT = 4
_COUNT_OTHER_SESSIONS = f"""
SELECT count(DISTINCT other.session_key)
FROM turns AS this
JOIN turns AS before ON before.turn_key = this.turn_key - 1
JOIN (
    SELECT session_key, (session_key << 20) + turn_count AS last_key FROM sessions
    WHERE session_key <> :session ORDER BY last_change DESC LIMIT {MOST_OTHER_SESSIONS}
) AS other
JOIN turns ON turns.turn_key
    BETWEEN max(other.last_key - {_OTHERS_LOOKED_AT - 1}, other.session_key << 20)
    AND other.last_key
WHERE this.turn_key = :turn AND turns.run = before.run
    AND turns.started_at_utc <= this.started_at_utc
    AND (turns.ended_at_utc IS NULL OR turns.ended_at_utc >= before.ended_at_utc)
"""


def runs_of(store: Store, session_id: str) -> frozenset[str]:
    """Return the launches of llama-server that have served turns of the session."""
    session = find_begun(store.connection, session_id)
    rows = store.connection.execute(
        "SELECT DISTINCT run FROM turns WHERE turn_key BETWEEN ? AND ? AND run IS NOT NULL",
        (_key(session, 1), _key(session, session["turn_count"])),
    )
    return frozenset(row["run"] for row in rows)


def served_before(store: Store, session_id: str, turn: int) -> dict[str, Usage]:
    """Return the launches that have served turns before that one, and each one's last turn."""
    session = find_begun(store.connection, session_id)
    rows = store.connection.execute(
        "SELECT run, prompt_tokens, completion_tokens FROM turns"
        " WHERE turn_key BETWEEN ? AND ? AND run IS NOT NULL ORDER BY turn_key",
        (_key(session, max(1, turn - _LOOKED_AT)), _key(session, turn - 1)),
    )
    return {
        run: Usage(prompt_tokens=prompt, completion_tokens=completion)
        for run, prompt, completion in rows
    }


def count_other_sessions(store: Store, session_id: str, turn: int) -> int:
    """Return how many other sessions the launch of the turn before has served between the two.

    Only what was used last is looked at, so that this takes no longer in a large archive: the count
    stops at MOST_OTHER_SESSIONS.
    """
    with store.reading() as connection:
        session = find_begun(connection, session_id)
        key = _key(session, turn)
        count: int = connection.execute(
            _COUNT_OTHER_SESSIONS, {"session": session["session_key"], "turn": key}
        ).fetchone()[0]
        return count


def note_run(store: Store, session_id: str, turn: int, run: str) -> None:
    """Write down that a turn under way is served by another launch than it was begun with."""
    with store.writing_unsynced() as connection:
        key = _key(find_begun(connection, session_id), turn)
        connection.execute("UPDATE turns SET run = ? WHERE turn_key = ?", (run, key))


def _key(session: sqlite3.Row, turn: int) -> int:
    return build_turn_key(session["session_key"], turn)
