"""Rows of the database as records, and the columns that they need."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from llama_mcp.sessions.records import Receipt, Session, Timing, Turn, TurnStatus, Usage
from llama_mcp.sessions.texts import clean_text

# A session may have this many turns, less one; turns.turn_key in migrations.py says why.
TURNS_PER_SESSION = 1 << 20

SELECT_TURNS = """
SELECT turns.*,
    coalesce(underway.reply, turns.reply) AS reply_so_far,
    coalesce(underway.reasoning, turns.reasoning) AS reasoning_so_far
FROM turns LEFT JOIN underway USING (turn_key)
"""


def build_turn_key(session_key: int, turn: int) -> int:
    """Return the key of a turn."""
    return session_key * TURNS_PER_SESSION + turn


def to_session(row: sqlite3.Row) -> Session:
    """Return a row of sessions as a record."""
    return Session(
        session_id=row["session_id"],
        title=row["title"],
        system_prompt=row["system_prompt"],
        created_at_utc=row["created_at_utc"],
        updated_at_utc=row["updated_at_utc"],
        turn_count=row["turn_count"],
        forked_from=row["forked_from"],
        forked_at_turn=row["forked_at_turn"],
        first_turn_in_prompt=row["first_turn_in_prompt"],
    )


def to_turn(session_id: str, row: sqlite3.Row) -> Turn:
    """Return a row of SELECT_TURNS as a record."""
    return Turn(
        session_id=session_id,
        turn=row["turn"],
        status=TurnStatus(row["status"]),
        message=row["message"],
        reply=row["reply_so_far"],
        reasoning=row["reasoning_so_far"],
        model=row["model"],
        sampling=json.loads(row["sampling"]),
        finish_reason=row["finish_reason"],
        usage=Usage(row["prompt_tokens"], row["cached_tokens"], row["completion_tokens"]),
        timing=Timing(
            row["first_token_ms"],
            row["total_ms"],
            row["prompt_tokens_per_second"],
            row["tokens_per_second"],
        ),
        receipt=Receipt(**json.loads(row["receipt"] or "{}")),
        context_tokens=row["context_tokens"],
        notes=tuple(json.loads(row["notes"])),
        error=row["error"],
        started_at_utc=row["started_at_utc"],
        ended_at_utc=row["ended_at_utc"],
        imported=bool(row["imported"]),
    )


def to_receipt_json(receipt: Receipt) -> str:
    """Return a receipt's column: what is known of it."""
    return to_json({name: value for name, value in asdict(receipt).items() if value is not None})


def to_json(value: Mapping[str, object] | Sequence[str]) -> str:
    """Return a column's JSON, valid Unicode whatever its strings hold."""
    return clean_text(json.dumps(value, ensure_ascii=False, default=str))
