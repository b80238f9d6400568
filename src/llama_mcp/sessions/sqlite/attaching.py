"""The files of turns: written as a turn begins, read for prompts and lists, copied with a turn.

They go with their turn when that is removed (migrations.py has the trigger).
"""

import sqlite3
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter

from llama_mcp.sessions.attachments import AttachedFile, Attachment
from llama_mcp.sessions.sqlite.rows import TURNS_PER_SESSION, build_turn_key
from llama_mcp.sessions.texts import clean_text

_FACTS = tuple(AttachedFile.model_fields)
_COLUMNS = ", ".join(("position", *_FACTS, "content"))
_INSERT = f"""
INSERT INTO attachments (turn_key, {_COLUMNS}) VALUES (?{", ?" * (len(_FACTS) + 2)})
"""
_COPY = f"""
INSERT INTO attachments (turn_key, {_COLUMNS})
SELECT turn_key + ?, {_COLUMNS} FROM attachments WHERE turn_key BETWEEN ? AND ?
"""


def insert_attached(
    connection: sqlite3.Connection, turn_key: int, attached: Sequence[Attachment]
) -> None:
    """Keep what was sent with a turn."""
    for position, each in enumerate(attached, start=1):
        facts = [_clean(getattr(each.file, name)) for name in _FACTS]
        connection.execute(_INSERT, (turn_key, position, *facts, _clean(each.content)))


def read_attached(
    connection: sqlite3.Connection, session_key: int, first: int, last: int
) -> Mapping[int, tuple[Attachment, ...]]:
    """Return what was sent with the turns from first to last that have files, by turn."""
    rows = _rows(connection, (*_FACTS, "content"), session_key, first, last)
    return {
        key % TURNS_PER_SESSION: tuple(Attachment(_to_file(row), row["content"]) for row in of_turn)
        for key, of_turn in groupby(rows, itemgetter("turn_key"))
    }


def read_files(
    connection: sqlite3.Connection, session_key: int, first: int, last: int
) -> Mapping[int, tuple[AttachedFile, ...]]:
    """Return which files were sent with these turns, by turn; no content is read."""
    rows = _rows(connection, _FACTS, session_key, first, last)
    return {
        key % TURNS_PER_SESSION: tuple(map(_to_file, of_turn))
        for key, of_turn in groupby(rows, itemgetter("turn_key"))
    }


def copy_attached(connection: sqlite3.Connection, origin: int, copy: int, last: int) -> None:
    """Copy the files of a session's turns up to the last one into another session."""
    connection.execute(
        _COPY,
        (build_turn_key(copy - origin, 0), build_turn_key(origin, 1), build_turn_key(origin, last)),
    )


def _rows(
    connection: sqlite3.Connection, columns: Sequence[str], session_key: int, first: int, last: int
) -> sqlite3.Cursor:
    return connection.execute(
        f"SELECT turn_key, {', '.join(columns)} FROM attachments"
        " WHERE turn_key BETWEEN ? AND ? ORDER BY turn_key, position",
        (build_turn_key(session_key, first), build_turn_key(session_key, last)),
    )


def _to_file(row: sqlite3.Row) -> AttachedFile:
    return AttachedFile(**{name: row[name] for name in _FACTS})


def _clean(value: object) -> object:
    return clean_text(value) if isinstance(value, str) else value
