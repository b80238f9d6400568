"""The list of sessions that match a query, and the search index itself."""

import json
import sqlite3

from llama_mcp.sessions.records import Session, SessionList
from llama_mcp.sessions.sqlite.reading import list_sessions, next_before
from llama_mcp.sessions.sqlite.rows import TURNS_PER_SESSION, to_session
from llama_mcp.sessions.sqlite.search_words import build_match, cut_snippet
from llama_mcp.sessions.sqlite.store import Store, settle_dead_turns


def search_sessions(store: Store, query: str, limit: int, before: int) -> SessionList:
    """Return the sessions where a title or a turn has all words of the query."""
    if not query.strip():
        return list_sessions(store, limit, before)
    match = build_match(query)
    if match is None:
        return SessionList(total=0)
    settle_dead_turns(store)
    with store.reading() as connection:
        matching = [
            row[0]
            for row in connection.execute(
                "SELECT DISTINCT rowid >> 20 FROM search WHERE search MATCH ?", (match,)
            )
        ]
        rows = _newest_of(connection, matching, limit + 1, before)
        found = _newest_matches(connection, match, rows[:limit])
        sessions = tuple(
            _to_match(connection, row, found[row["session_key"]], query) for row in rows[:limit]
        )
    total = len(matching)
    return SessionList(sessions=sessions, total=total, next_before=next_before(rows, limit))


def rebuild_index(store: Store) -> None:
    """Fill the search index again from the texts."""
    with store.writing() as connection:
        connection.execute("INSERT INTO search (search) VALUES ('delete-all')")
        connection.execute(
            "INSERT INTO search (rowid, words)"
            " SELECT session_key << 20, searchable(title, '') FROM sessions"
        )
        connection.execute(
            "INSERT INTO search (rowid, words)"
            " SELECT turn_key, searchable(message, reply) FROM turns WHERE status <> 'in_progress'"
        )


def _newest_of(
    connection: sqlite3.Connection, session_keys: list[int], count: int, before: int
) -> list[sqlite3.Row]:
    return connection.execute(
        """
        SELECT sessions.* FROM json_each(?) JOIN sessions ON session_key = value
        WHERE last_change < ? ORDER BY last_change DESC LIMIT ?
        """,
        (json.dumps(session_keys), before, count),
    ).fetchall()


def _newest_matches(
    connection: sqlite3.Connection, match: str, sessions: list[sqlite3.Row]
) -> dict[int, int]:
    """Return, by session, the newest row of the index that matches."""
    # One query for all sessions: every query of the index collects all matches of all words.
    return dict(
        connection.execute(
            """
            SELECT rowid >> 20, max(rowid) FROM search
            WHERE search MATCH ? AND rowid >> 20 IN (SELECT value FROM json_each(?))
            GROUP BY rowid >> 20
            """,
            (match, json.dumps([row["session_key"] for row in sessions])),
        ).fetchall()
    )


def _to_match(connection: sqlite3.Connection, row: sqlite3.Row, found: int, query: str) -> Session:
    texts: tuple[str, ...] = (row["title"],)
    if found % TURNS_PER_SESSION:
        turn = connection.execute(
            "SELECT message, reply FROM turns WHERE turn_key = ?", (found,)
        ).fetchone()
        texts = (turn["message"], turn["reply"])
    return to_session(row, cut_snippet(texts, query))
