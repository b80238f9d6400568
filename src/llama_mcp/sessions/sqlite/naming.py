"""Which session is meant: by its id, by the beginning of one, or by one that was mistyped."""

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


def find_session(connection: sqlite3.Connection, session_id: str) -> sqlite3.Row:
    """Return the row of the session with this id.

    Raises:
        SessionNotFoundError: There is none; it names others.
    """
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM sessions WHERE session_id = ?", (session_id,)
    ).fetchone()
    if row is None:
        raise _not_found(connection, session_id, session_id)
    return row


def find_id(store: Store, text: str) -> str:
    """Return the id of the session that a caller means; parse_session_id says how it is written.

    Raises:
        SessionAmbiguousError: It is the beginning of several ids, or too short.
        SessionNotFoundError: There is none; it names others.
    """
    beginning = parse_session_id(text)
    connection = store.connection
    ids = _ids_from(connection, beginning, _NAMED_IN_AN_ERROR + 1) if beginning else []
    if not beginning or not ids:
        raise _not_found(connection, text, beginning)
    if len(ids) > 1 or len(beginning) < _SHORTEST_BEGINNING:
        raise SessionAmbiguousError(text, _titled(connection, ids[:_NAMED_IN_AN_ERROR]), len(ids))
    return ids[0]


def complete_ids(store: Store, prefix: str, limit: int) -> tuple[str, ...]:
    """Return the ids that begin with the prefix, the session that changed last first."""
    return tuple(_ids_from(store.connection, prefix, limit))


def _ids_from(connection: sqlite3.Connection, prefix: str, limit: int) -> list[str]:
    rows = connection.execute(
        "SELECT session_id FROM sessions WHERE session_id >= ?1 AND session_id < ?1 || '~'"
        " ORDER BY last_change DESC LIMIT ?2",
        (prefix, limit),
    )
    return [row["session_id"] for row in rows]


def _not_found(
    connection: sqlite3.Connection, text: str, beginning: str | None
) -> SessionNotFoundError:
    newest = _ids_from(connection, "", _COMPARED)
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
