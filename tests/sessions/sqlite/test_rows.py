"""Every column of a turn is written, read and copied, or named here as left out on purpose."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from pydantic import BaseModel

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.attachments import AttachedFile, Attachment, SaveTo
from llama_mcp.sessions.begun_turns import BegunTurn
from llama_mcp.sessions.records import (
    ArchivedTurn,
    Message,
    Receipt,
    Timing,
    TurnEnding,
    TurnStatus,
    Usage,
)
from llama_mcp.sessions.sqlite.rows import ENDING_COLUMNS, TURN_COLUMNS

# What a copy must not have of its origin: its place, and the launch that served the turn.
LEFT_OUT_OF_COPIES = {"turn_key", "session_key", "turn", "run"}
# Written as a turn begins.
BEGINNING = {"message", "sampling", "save_to", "started_at_utc", "imported"}
ENDED_AT = "ended_at_utc"
SAVE_TO = SaveTo(path="/there/a.md", folder="/there", overwrite=True)
TEXT = Attachment(
    AttachedFile(
        name="name", first_line=1, last_line=2, media_type="type", size_bytes=3, sha256="sum"
    ),
    "content",
)


def figures(record: type[BaseModel], numbers: Iterator[int]) -> dict[str, int]:
    """A value of its own for every field of a record of numbers."""
    return {name: next(numbers) for name in record.model_fields}


def whole_ending() -> TurnEnding:
    """An ending in which no field has its default."""
    numbers = count(start=1)
    usage = Usage(**figures(Usage, numbers))
    ending = TurnEnding(
        status=TurnStatus.FAILED,
        reply="reply",
        reasoning="reasoning",
        model="model",
        finish_reason="stop",
        usage=usage,
        timing=Timing(**figures(Timing, numbers)),
        receipt=Receipt.of(usage, queue_ms=0.5, prompt_ms=1, generation_ms=2, cache_miss="cut"),
        context_tokens=next(numbers),
        saved_bytes=next(numbers),
        notes=("note",),
        error="error",
    )
    defaults = TurnEnding(status=TurnStatus.COMPLETE)
    assert not [name for name, value in ending if value == getattr(defaults, name)]
    return ending


@pytest.fixture
async def begun(archive: Archive) -> BegunTurn:
    history = [Message(role="user", content="a"), Message(role="assistant", content="b")]
    begun = await archive.begin_turn(
        None,
        "message",
        history=history,
        run="the run",
        sampling={"seed": 1},
        attached=[TEXT],
        save_to=SAVE_TO,
        owner=LOCAL_OWNER,
    )
    await archive.end_turn(begun.session.session_id, begun.turn, whole_ending())
    return begun


def rows_of(path: Path, columns: str) -> list[dict[str, object]]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [
            dict(row)
            for row in connection.execute(f"SELECT {columns} FROM turns ORDER BY turn_key")
        ]


async def test_the_lists_name_every_column_of_the_table(begun: BegunTurn, path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        table = {row[1] for row in connection.execute("PRAGMA table_xinfo(turns)")}

    assert set(TURN_COLUMNS) == table - LEFT_OUT_OF_COPIES
    assert set(ENDING_COLUMNS) == set(TURN_COLUMNS) - BEGINNING - {ENDED_AT}


async def test_an_ending_writes_every_column_that_it_has(begun: BegunTurn, path: Path) -> None:
    *_, row = rows_of(path, "*")
    assert not [name for name in (*ENDING_COLUMNS, ENDED_AT) if row[name] is None]


async def test_what_was_written_is_read(archive: Archive, begun: BegunTurn) -> None:
    turn = await archive.last_turn(begun.session.session_id, owner=LOCAL_OWNER)
    expected = {
        "turn": 2, "message": "message", "sampling": {"seed": 1}, "imported": False,
        "files": (TEXT.file,), "save_to": SAVE_TO,
        **dict(whole_ending()),
    }  # fmt: skip
    assert dict(turn) == expected | {
        name: getattr(turn, name) for name in ("started_at_utc", ENDED_AT)
    }
    assert set(ArchivedTurn.model_fields) == set(dict(turn))


async def test_a_copy_has_every_column_but_those_that_are_left_out_on_purpose(
    archive: Archive, begun: BegunTurn, path: Path
) -> None:
    await archive.fork_session(begun.session.session_id, owner=LOCAL_OWNER)

    rows = rows_of(path, ", ".join(TURN_COLUMNS))
    assert rows[:2] == rows[2:]
    assert [row["run"] for row in rows_of(path, "run")] == [None, "the run", None, None]


async def test_every_column_of_a_file_is_written_and_copied(
    archive: Archive, begun: BegunTurn, path: Path
) -> None:
    await archive.fork_session(begun.session.session_id, owner=LOCAL_OWNER)

    with closing(sqlite3.connect(path)) as connection:
        first, copy = connection.execute("SELECT * FROM attachments ORDER BY turn_key").fetchall()
    assert None not in first
    assert first[1:] == copy[1:]
