"""Finished pieces of jobs, read together with the turns that the jobs are."""

import sqlite3

from llama_mcp.sessions.jobs import JOB_INTERRUPTED, FinishedPiece, pieces_text

_PIECES = (
    "SELECT level, number, digest, file, lines, reply, was_cut_off FROM job_pieces"
    " WHERE turn_key = ? ORDER BY level, number"
)
# Of a process that has died, and that nobody can go on with.
_OF_WRITER = """
SELECT turn_key FROM underway JOIN jobs USING (turn_key) WHERE writer_id = ? AND stream_id IS NULL
"""


def read_pieces(connection: sqlite3.Connection, turn_key: int) -> tuple[FinishedPiece, ...]:
    """Return the finished pieces of a job, those of files first, in order."""
    rows = connection.execute(_PIECES, (turn_key,))
    return tuple(
        FinishedPiece(**dict(row) | {"was_cut_off": bool(row["was_cut_off"])}) for row in rows
    )


def jobs_of(connection: sqlite3.Connection, writer_id: str) -> list[int]:
    """Return the keys of the jobs under way of a writer."""
    return [row["turn_key"] for row in connection.execute(_OF_WRITER, (writer_id,)).fetchall()]


def gather_pieces(connection: sqlite3.Connection, turn_key: int) -> None:
    """Give a job that was interrupted the text of the pieces that it had finished."""
    text = pieces_text(read_pieces(connection, turn_key))
    connection.execute(
        "UPDATE turns SET reply = ?, error = ? WHERE turn_key = ?",
        (text, JOB_INTERRUPTED, turn_key),
    )
