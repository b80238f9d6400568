"""The tables of jobs over files, and what of them is read together with turns."""

import sqlite3

from llama_mcp.sessions.jobs import JOB_INTERRUPTED, FinishedPiece, pieces_text

JOB_TABLES = (
    """
    CREATE TABLE jobs (
        -- One row for each turn that is a job; forks copy turns, and not what they were made of.
        turn_key INTEGER PRIMARY KEY,
        call TEXT NOT NULL, -- a digest of what was asked: the same call goes on with a job
        state TEXT NOT NULL -- a JSON object
    )
    """,
    """
    CREATE TABLE job_pieces (
        -- The replies of a job that is not complete; then its state has what came of them.
        turn_key INTEGER NOT NULL,
        level INTEGER NOT NULL,
        number INTEGER NOT NULL,
        digest TEXT NOT NULL, -- of all that was asked
        file TEXT NOT NULL,
        lines TEXT,
        was_cut_off INTEGER NOT NULL,
        reply TEXT NOT NULL,
        PRIMARY KEY (turn_key, level, number)
    ) WITHOUT ROWID
    """,
    """
    CREATE TRIGGER job_removed AFTER DELETE ON turns BEGIN
        DELETE FROM jobs WHERE turn_key = old.turn_key;
        DELETE FROM job_pieces WHERE turn_key = old.turn_key;
    END
    """,
)

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
