"""Which session is meant: by its id, by the beginning of one, or by one that was mistyped.

What a caller names is looked for among its owner's sessions only. Another's id gives what an id
gives that never was.
"""

import sqlite3
from collections.abc import Sequence
from difflib import SequenceMatcher

from llama_mcp.sessions.errors import SessionAmbiguousError, SessionNotFoundError
from llama_mcp.sessions.session_ids import parse_session_id
from llama_mcp.sessions.sqlite.store import Store

# Models that number a list pass `2` for its second session.
_SHORTEST_BEGINNING = 2
_NAMED_IN_AN_ERROR = 5
# Among so many of the newest sessions one is looked for whose id is like the one that is not there.
_COMPARED = 1000
# One wrong character of four, or three of twelve.
_ALIKE = 0.7
# The index of ids finds few; the plus keeps SQLite from looking at all sessions of the owner.
_IDS_WITH = """
SELECT session_id FROM sessions
WHERE session_id >= :prefix AND session_id < :prefix || '~' AND +owner = :owner
ORDER BY +last_change DESC LIMIT :limit
"""
_NEWEST_IDS = """
SELECT session_id FROM sessions WHERE owner = :owner ORDER BY last_change DESC LIMIT :limit
"""


def find_session(connection: sqlite3.Connection, session_id: str, owner: str) -> sqlite3.Row:
    """Return the row of the owner's session with this id.

    Raises:
        SessionNotFoundError: The owner has none; it names others that the owner has.
    """
    row = _row_of(connection, session_id)
    if row is None or row["owner"] != owner:
        raise _not_found(connection, session_id, session_id, owner)
    return row


def find_begun(connection: sqlite3.Connection, session_id: str) -> sqlite3.Row:
    """Return the row of the session of a turn that was begun, whoever's it is.

    Raises:
        SessionNotFoundError: It is no longer there.
    """
    row = _row_of(connection, session_id)
    if row is None:
        raise SessionNotFoundError(session_id, None, are_alike=False)
    return row


def _row_of(connection: sqlite3.Connection, session_id: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM sessions WHERE session_id = ?", (session_id,)
    ).fetchone()
    return row


def find_id(store: Store, text: str, owner: str) -> str:
    """Return the id of the owner's session that is meant; parse_session_id says how it is written.

    Raises:
        SessionAmbiguousError: It is the beginning of several ids, or too short.
        SessionNotFoundError: There is none; it names others.
    """
    beginning = parse_session_id(text)
    connection = store.connection
    ids = _ids_from(connection, beginning, _NAMED_IN_AN_ERROR + 1, owner) if beginning else []
    if not beginning or not ids:
        raise _not_found(connection, text, beginning, owner)
    if len(ids) > 1 or len(beginning) < _SHORTEST_BEGINNING:
        raise SessionAmbiguousError(text, _titled(connection, ids[:_NAMED_IN_AN_ERROR]), len(ids))
    return ids[0]


def complete_ids(store: Store, prefix: str, limit: int, owner: str) -> tuple[str, ...]:
    """Return the owner's ids that begin with the prefix, the session that changed last first."""
    return tuple(_ids_from(store.connection, prefix, limit, owner))


def _ids_from(connection: sqlite3.Connection, prefix: str, limit: int, owner: str) -> list[str]:
    statement = _IDS_WITH if prefix else _NEWEST_IDS
    values = {"prefix": prefix, "limit": limit, "owner": owner}
    return [row["session_id"] for row in connection.execute(statement, values)]


def _not_found(
    connection: sqlite3.Connection, text: str, beginning: str | None, owner: str
) -> SessionNotFoundError:
    newest = _ids_from(connection, "", _COMPARED, owner)
    alike = _nearest(beginning, newest) if beginning else []
    shown = (alike or newest)[:_NAMED_IN_AN_ERROR]
    return SessionNotFoundError(text, _titled(connection, shown), are_alike=bool(alike))


def _nearest(beginning: str, session_ids: Sequence[str]) -> list[str]:
    """Return the ids that begin almost so, the most similar first."""
    likeness = {
        session_id: SequenceMatcher(None, beginning, session_id[: len(beginning)]).ratio()
        for session_id in session_ids
    }
    alike = [session_id for session_id in session_ids if likeness[session_id] >= _ALIKE]
    return sorted(alike, key=lambda session_id: -likeness[session_id])


def _titled(connection: sqlite3.Connection, session_ids: Sequence[str]) -> dict[str, str]:
    """Return the titles of sessions by their ids, in that order."""
    titles = (
        connection.execute(
            "SELECT title FROM sessions WHERE session_id = ?", (session_id,)
        ).fetchone()
        for session_id in session_ids
    )
    return {
        session_id: row["title"] for session_id, row in zip(session_ids, titles, strict=True) if row
    }
