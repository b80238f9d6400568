"""Jobs over files, written as they go on: begun, a piece finished, ended; and read again."""

import sqlite3

from llama_mcp.sessions.jobs import FinishedPiece, JobState, KeptJob
from llama_mcp.sessions.records import TurnStatus
from llama_mcp.sessions.sqlite.job_rows import read_pieces
from llama_mcp.sessions.sqlite.naming import find_begun, find_session
from llama_mcp.sessions.sqlite.rows import build_turn_key
from llama_mcp.sessions.sqlite.store import Store, settle_dead_turns
from llama_mcp.sessions.texts import clean_text

_BEGIN = "INSERT INTO jobs (turn_key, call, state) VALUES (?, ?, ?)"
_STATE = "UPDATE jobs SET state = ? WHERE turn_key = ?"
_PIECE = """
INSERT OR REPLACE INTO job_pieces (
    turn_key, level, number, digest, file, lines, was_cut_off, reply
) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_NEWEST_THAT_IS_OVER = """
SELECT turn_key, status FROM jobs JOIN turns USING (turn_key) JOIN sessions USING (session_key)
WHERE call = ? AND +owner = ? AND status != 'in_progress' ORDER BY turn_key DESC LIMIT 1
"""


def begin_job(store: Store, session_id: str, turn: int, call: str, state: JobState) -> None:
    """Write down that the turn is a job."""
    with store.writing_unsynced() as connection:
        key = _key(connection, session_id, turn)
        connection.execute(_BEGIN, (key, call, _text_of(state)))


def save_piece(
    store: Store, session_id: str, turn: int, piece: FinishedPiece, state: JobState
) -> None:
    """Write down one reply of a job, and how far the job is."""
    values = (
        *(piece.level, piece.number, piece.digest, clean_text(piece.file), piece.lines),
        *(piece.was_cut_off, clean_text(piece.reply)),
    )
    with store.writing() as connection:
        key = _key(connection, session_id, turn)
        connection.execute(_PIECE, (key, *values))
        connection.execute(_STATE, (_text_of(state), key))


def end_job(store: Store, session_id: str, turn: int, state: JobState) -> None:
    """Write down what has come of a job."""
    with store.writing() as connection:
        connection.execute(_STATE, (_text_of(state), _key(connection, session_id, turn)))


def forget_pieces(store: Store, session_id: str, turn: int) -> None:
    """Take out what a job was made of."""
    with store.writing_unsynced() as connection:
        key = _key(connection, session_id, turn)
        connection.execute("DELETE FROM job_pieces WHERE turn_key = ?", (key,))


def read_job(store: Store, session_id: str, turn: int, owner: str) -> KeptJob | None:
    """Return the job that the turn is; None for a turn of a conversation."""
    with store.reading() as connection:
        session = find_session(connection, session_id, owner)
        key = build_turn_key(session["session_key"], turn)
        row = connection.execute("SELECT state FROM jobs WHERE turn_key = ?", (key,)).fetchone()
        if row is None:
            return None
        return KeptJob(JobState.model_validate_json(row["state"]), read_pieces(connection, key))


def pieces_left(store: Store, call: str, owner: str) -> tuple[FinishedPiece, ...]:
    """Return what was finished of the owner's last job of the same call, if it is not complete."""
    if not store.is_read_only:
        settle_dead_turns(store)
    with store.reading() as connection:
        row = connection.execute(_NEWEST_THAT_IS_OVER, (call, owner)).fetchone()
        # Who asks again what is complete wants another answer.
        is_left = row is not None and row["status"] != TurnStatus.COMPLETE
        return read_pieces(connection, row["turn_key"]) if is_left else ()


def _key(connection: sqlite3.Connection, session_id: str, turn: int) -> int:
    return build_turn_key(find_begun(connection, session_id)["session_key"], turn)


def _text_of(state: JobState) -> str:
    return clean_text(state.model_dump_json(exclude_defaults=True))
