"""What is read for a turn as it begins: what its prompt is made of, and what may be cached."""

import sqlite3
from collections.abc import Mapping
from typing import Any

from llama_mcp.sessions.begun_turns import CacheFacts, EarlierTurn
from llama_mcp.sessions.sqlite.rows import build_turn_key


def read_earlier(
    connection: sqlite3.Connection, session: sqlite3.Row, first: int, last: int
) -> tuple[EarlierTurn, ...]:
    """Return what a prompt needs of the turns from first to last, both included."""
    key = session["session_key"]
    rows = connection.execute(
        "SELECT turn, message, reply FROM turns WHERE turn_key BETWEEN ? AND ? ORDER BY turn_key",
        (build_turn_key(key, first), build_turn_key(key, last)),
    )
    return tuple(map(EarlierTurn._make, rows))


def read_cache_facts(
    connection: sqlite3.Connection, session: sqlite3.Row | Mapping[str, Any]
) -> CacheFacts:
    """Return what is known before a turn about what llama-server can have kept of the session."""
    key, turn = session["session_key"], session["turn_count"]
    last = connection.execute(
        "SELECT run, model, imported, prompt_tokens / prompt_tokens_per_second AS read_seconds"
        " FROM turns WHERE turn_key = ?",
        (build_turn_key(key, turn),),
    ).fetchone()
    is_copied = session["forked_at_turn"] is not None and turn <= session["forked_at_turn"]
    if last is None or last["imported"] or is_copied:
        return CacheFacts(is_first_turn=True, last_run=None, was_system_prompt_changed=False)
    return CacheFacts(
        is_first_turn=False,
        last_run=last["run"],
        was_system_prompt_changed=session["system_prompt_changed_after_turn"] == turn,
        last_model=last["model"],
        read_seconds=last["read_seconds"] or None,
    )
