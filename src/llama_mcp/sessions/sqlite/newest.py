"""The newest sessions, for a list that shows them only by name, and the mark of that moment.

The archive's own connection reads them here, and so does whoever has not opened the archive; that
takes the standard library alone.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from llama_mcp.sessions.sqlite.connecting import connect_to_read
from llama_mcp.sessions.sqlite.migrations import APPLICATION_ID, MIGRATIONS, applied_count

_NEWEST = """
SELECT session_id, title, turn_count, updated_at_utc FROM sessions
WHERE owner = ? ORDER BY last_change DESC LIMIT ?
"""
_MARK = """
SELECT totals.last_change, coalesce(owners.sessions, 0), coalesce(owners.newest_key, 0)
FROM totals LEFT JOIN owners ON owner = ?
"""
EMPTY_MARK = (0, 0, 0)

# session_id, title, number of turns, time of the last change.
NewestSession = tuple[str, str, int, str]
# The values of a SessionMark of one owner (changes.py).
Mark = tuple[int, int, int]


def newest_sessions(connection: sqlite3.Connection, limit: int, owner: str) -> list[NewestSession]:
    """Return the owner's sessions that changed last, newest first."""
    return [tuple(row) for row in connection.execute(_NEWEST, (owner, limit))]


def read_newest_sessions(
    path: Path, limit: int, owner: str
) -> tuple[list[NewestSession], Mark] | None:
    """Return the owner's newest sessions and the mark of that moment; the archive is not opened.

    Returns:
        None when the file cannot be read as it is: it is locked, damaged, of another version or
        another program, or the folder is closed.
    """
    if not os.path.exists(path):
        return [], EMPTY_MARK
    try:
        with closing(connect_to_read(path)) as connection:
            connection.execute("BEGIN")
            program = connection.execute("PRAGMA application_id").fetchone()[0]
            if program != APPLICATION_ID or applied_count(connection) != len(MIGRATIONS):
                return None
            mark = connection.execute(_MARK, (owner,)).fetchone()
            return newest_sessions(connection, limit, owner), mark
    except sqlite3.Error:
        return None
