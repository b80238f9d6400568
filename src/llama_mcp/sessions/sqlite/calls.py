"""What the calls of the last minute asked, so that one is known again that was cut off."""

import sqlite3
from datetime import UTC, datetime, timedelta

from llama_mcp.sessions.left_turns import CutOffCall
from llama_mcp.sessions.sqlite.store import Store, settle_dead_turns
from llama_mcp.sessions.texts import moment_text

_KEPT = timedelta(minutes=1)
# The newest first. A turn that was cancelled can be gone on with while it is the last one.
_CUT_OFF = """
SELECT session_id, turn, writer_id, is_left, turns.status = 'cancelled' AS is_cancelled
FROM recent_calls JOIN turns USING (turn_key) JOIN sessions USING (session_key)
    LEFT JOIN underway USING (turn_key)
WHERE call = ?1 AND +owner = ?3 AND NOT is_told AND (
    writer_id IS NOT NULL
    OR is_left AND turns.status = 'complete' AND ended_at_utc >= ?2
    OR turns.status = 'cancelled' AND turn = turn_count AND ended_at_utc >= ?2
) ORDER BY turn_key DESC
"""
_TOLD = """
UPDATE recent_calls SET is_told = 1 WHERE turn_key = (
    SELECT (session_key << 20) + ? FROM sessions WHERE session_id = ?
)
"""


def note_call(connection: sqlite3.Connection, turn_key: int, call: str) -> None:
    """Remember what a new turn was asked with; turns that ended a minute ago are forgotten."""
    connection.execute(
        "DELETE FROM recent_calls WHERE NOT EXISTS (SELECT 1 FROM turns"
        " WHERE turns.turn_key = recent_calls.turn_key AND coalesce(ended_at_utc, ?1) >= ?1)",
        (_kept_since(),),
    )
    connection.execute("INSERT INTO recent_calls (turn_key, call) VALUES (?, ?)", (turn_key, call))


def note_left(connection: sqlite3.Connection, turn_key: int) -> None:
    """Remember that the process of the turn's caller has ended."""
    connection.execute("UPDATE recent_calls SET is_left = 1 WHERE turn_key = ?", (turn_key,))


def note_told(store: Store, session_id: str, turn: int) -> None:
    """Remember that the turn's caller has had a result."""
    with store.writing_unsynced() as connection:
        connection.execute(_TOLD, (turn, session_id))


def cut_off_call(store: Store, call: str, owner: str) -> CutOffCall | None:
    """Return the owner's same call whose caller was gone before it could be told anything.

    Either its process has ended, and its reply goes on or was taken into the archive by another
    process in the last minute; or its client has cancelled it in the last minute.
    """
    if store.is_read_only:
        return None
    settle_dead_turns(store)
    rows = store.connection.execute(_CUT_OFF, (call, _kept_since(), owner)).fetchall()
    left = (
        CutOffCall(row["session_id"], row["turn"], bool(row["is_cancelled"]))
        for row in rows
        if row["is_cancelled"] or row["is_left"] or not store.writers.is_alive(row["writer_id"])
    )
    return next(left, None)


def _kept_since() -> str:
    return moment_text(datetime.now(UTC) - _KEPT)
