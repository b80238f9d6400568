"""Rows of the database as records, and the columns that hold a record.

The columns of turns follow from the fields of ArchivedTurn. Everything that reads, copies or ends a
turn is built from the two lists here.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel

from llama_mcp.sessions.attachments import AttachedFile
from llama_mcp.sessions.records import ArchivedTurn, Receipt, Session, Timing, TurnEnding, Usage
from llama_mcp.sessions.texts import clean_text

# A session may have this many turns, less one; turns.turn_key in migrations.py says why.
TURNS_PER_SESSION = 1 << 20

# Records with a column for each of their fields.
_FIGURES: Mapping[str, type[BaseModel]] = {"usage": Usage, "timing": Timing}
# What SQLite computes from turn_key, and what has a table of its own (attaching.py).
_NO_COLUMNS = frozenset({"turn", "files"})


def _columns_of(record: type[BaseModel]) -> Iterator[str]:
    for name in record.model_fields:
        if name in _FIGURES:
            yield from _FIGURES[name].model_fields
        elif name not in _NO_COLUMNS:
            yield name


ENDING_COLUMNS = tuple(_columns_of(TurnEnding))
# Not among them: run, the launch of llama-server that served the turn. A copy was served by none.
TURN_COLUMNS = tuple(_columns_of(ArchivedTurn))

# A turn in progress has its text in underway.
_UNDERWAY_COLUMNS = ("reply", "reasoning")
_SELECTED = [f"turns.{name}" for name in TURN_COLUMNS if name not in _UNDERWAY_COLUMNS]
_SELECTED += [f"coalesce(underway.{name}, turns.{name}) AS {name}" for name in _UNDERWAY_COLUMNS]
SELECT_TURNS = (
    f"SELECT turns.turn, {', '.join(_SELECTED)} FROM turns LEFT JOIN underway USING (turn_key) "
)
# As bytes, because SQLite counts characters only up to a NUL.
_SIZES = [
    f"length(CAST({text} AS BLOB))"
    for text in (
        "message",
        "coalesce(underway.reasoning, turns.reasoning)",
        "coalesce(underway.reply, turns.reply)",
    )
]
SELECT_SIZES = (
    f"SELECT turns.turn, {' + '.join(_SIZES)} FROM turns LEFT JOIN underway USING (turn_key) "
)
FROM_UNDERWAY = "FROM underway JOIN turns USING (turn_key) JOIN sessions USING (session_key) "
# After a crash, a turn goes on with another launch than it was begun with.
RUN_UNDERWAY = "coalesce(underway.stream_run, turns.run)"
SELECT_UNDERWAY = (
    f"SELECT session_id, title, owner, started_at_utc, {RUN_UNDERWAY} AS run, writer_pid,"
    " writer_id, stream_id "
    f"{FROM_UNDERWAY}"
)


def build_turn_key(session_key: int, turn: int) -> int:
    """Return the key of a turn."""
    return session_key * TURNS_PER_SESSION + turn


def to_session(row: sqlite3.Row, match: str | None = None) -> Session:
    """Return a row of sessions as a record, with what a search found in it."""
    return Session.model_validate({**dict(row), "turns": row["turn_count"], "match": match})


def to_turn(row: sqlite3.Row, files: Sequence[AttachedFile] = ()) -> ArchivedTurn:
    """Return a row of SELECT_TURNS as a record, with the files that were sent with it."""
    values = dict(row)
    usage = Usage.model_validate(values)
    values |= {
        "reasoning": row["reasoning"] or None,
        "usage": usage,
        "timing": Timing.model_validate(values),
        "receipt": Receipt.of(usage, **json.loads(row["receipt"] or "{}")),
        "notes": json.loads(row["notes"]),
        "sampling": json.loads(row["sampling"]),
        "save_to": json.loads(row["save_to"] or "null"),
        "files": files,
    }
    return ArchivedTurn.model_validate(values)


def to_ending_values(ending: TurnEnding) -> dict[str, object]:
    """Return what ENDING_COLUMNS are set to, by name."""
    receipt = ending.receipt.model_dump(exclude=set(Receipt.DERIVED), exclude_none=True)
    values = dict(ending) | dict(ending.usage) | dict(ending.timing)
    values |= {
        "status": ending.status.value,
        "reasoning": ending.reasoning or "",
        "receipt": to_json(receipt),
        "notes": to_json(ending.notes),
    }
    return {name: _cleaned(values[name]) for name in ENDING_COLUMNS}


def to_json(value: Mapping[str, object] | Sequence[str]) -> str:
    """Return a column's JSON, valid Unicode whatever its strings hold."""
    return clean_text(json.dumps(value, ensure_ascii=False, default=str))


def _cleaned(value: object) -> object:
    return clean_text(value) if isinstance(value, str) else value
