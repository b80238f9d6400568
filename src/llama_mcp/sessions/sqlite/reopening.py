"""A turn that was cancelled, under way once more."""

import os

from llama_mcp.sessions.begun_turns import BegunTurn
from llama_mcp.sessions.records import ArchivedTurn
from llama_mcp.sessions.sqlite.changing import touch
from llama_mcp.sessions.sqlite.leaving import read_begun
from llama_mcp.sessions.sqlite.naming import find_begun
from llama_mcp.sessions.sqlite.rows import build_turn_key
from llama_mcp.sessions.sqlite.store import Store
from llama_mcp.sessions.texts import utc_now

# What ended is in the search index, and what is under way is not.
_FORGET_WORDS = """
INSERT INTO search (search, rowid, words)
SELECT 'delete', turn_key, searchable(message, reply) FROM turns WHERE turn_key = ?
"""
_UNDERWAY = """
INSERT INTO underway (
    turn_key, writer_id, writer_pid, saved_at_utc, stream_id, stream_run, reasoning, reply
) SELECT turn_key, ?2, ?3, ?4, ?5, ?6, reasoning, reply FROM turns WHERE turn_key = ?1
"""
_REOPEN = """
UPDATE turns SET status = 'in_progress', ended_at_utc = NULL, run = ?, notes = '[]'
WHERE turn_key = ?
"""


def begun_again(store: Store, session_id: str) -> tuple[BegunTurn, ArchivedTurn]:
    """Return the session's last turn as it was begun, and what had come of it."""
    with store.reading() as connection:
        return read_begun(connection, session_id, None)


def reopen_turn(store: Store, begun: BegunTurn, run: str) -> bool:
    """Have a cancelled turn under way in this process; False when it can be so no more.

    That is when another process did so first, or the session has gone on.

    Args:
        store: The archive.
        begun: The turn, with the id of its new stream.
        run: The launch of llama-server that goes on with it.
    """
    if store.is_read_only:
        return False
    writer_id = store.writers.own_id()
    with store.writing_unsynced() as connection:
        session = find_begun(connection, begun.session.session_id)
        key = build_turn_key(session["session_key"], begun.turn)
        last = connection.execute(
            "SELECT 1 FROM turns WHERE turn_key = ? AND status = 'cancelled'", (key,)
        ).fetchone()
        if last is None or session["turn_count"] != begun.turn:
            return False
        writer = writer_id, os.getpid(), utc_now(), begun.stream_id, run
        connection.execute(_FORGET_WORDS, (key,))
        connection.execute(_UNDERWAY, (key, *writer))
        connection.execute(_REOPEN, (run, key))
        touch(connection, session["session_key"])
    return True
