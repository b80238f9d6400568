"""The list of sessions that match a query, and the search index itself."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace

from llama_mcp.sessions.records import Session, SessionList
from llama_mcp.sessions.sqlite import walking
from llama_mcp.sessions.sqlite.migrations import FILL_SEARCH
from llama_mcp.sessions.sqlite.reading import Before, count_sessions, list_sessions
from llama_mcp.sessions.sqlite.rows import TURNS_PER_SESSION, to_session
from llama_mcp.sessions.sqlite.search_words import (
    QueryWord,
    cut_snippets,
    spelled,
    split_query,
)
from llama_mcp.sessions.sqlite.store import Store, settle_dead_turns
from llama_mcp.wording import counted

# More would make a query slow and find nothing.
_MOST_WORDS = 16
# In the list of what was found, sessions with more of the words come before later changes.
_CHANGES = 1 << 50

_WITH_WORD = "SELECT rowid AS place, {} AS word FROM search WHERE search MATCH ?"
# Names of files are few and short: no index has them.
_WITH_NAME = """
SELECT turn_key AS place, {} AS word FROM attachments
WHERE instr(' ' || searchable(name, '') || ' ', ?)
"""
# For punctuation, which the index does not have; every text of the owner is read.
_WITH_TEXT = """
SELECT turn_key AS place, 0 AS word FROM sessions CROSS JOIN turns
    ON turn_key BETWEEN (sessions.session_key << 20) + 1 AND (sessions.session_key << 20) + 1048575
    WHERE owner = ? AND status <> 'in_progress'
    AND instr(spelled(message || char(10) || reply), ?)
UNION ALL SELECT session_key << 20, 0 FROM sessions WHERE owner = ? AND instr(spelled(title), ?)
"""


@dataclass(frozen=True, slots=True)
class _Search:
    """What is looked for: words in the index, or a text that has no word."""

    words: tuple[QueryWord, ...]
    text: str
    owner: str
    """Whose sessions are searched."""
    matches: tuple[str, ...] = ()
    """What is asked of the index for each word, if that can be done without beginnings of words."""

    @property
    def size(self) -> int:
        """How many things are looked for."""
        return len(self.words) or 1

    def hits(self, place: str = "") -> str:
        """Return SQL for the rows of the index where something was found.

        Args:
            place: SQL for which rows are looked at; all when it is empty.
        """
        forms = _WITH_WORD + place.format("rowid"), _WITH_NAME + place.format("turn_key")
        numbers = range(len(self.words))
        parts = [form.format(number) for number in numbers for form in forms]
        return " UNION ALL ".join(parts) or _WITH_TEXT

    @property
    def values(self) -> list[str]:
        """The values of hits."""
        pairs = zip(self.matches or (word.match for word in self.words), self.words, strict=True)
        values = [value for match, word in pairs for value in (match, word.beginning)]
        return values or [self.owner, self.text] * 2


@dataclass(frozen=True, slots=True)
class _Found:
    """A session with some of the words: how many, and its place in the list."""

    session_key: int
    words: int
    place: int


def search_sessions(
    store: Store, query: str, limit: int, before: Before, owner: str
) -> SessionList:
    """Return the owner's sessions that have all words of the query, else those that have some."""
    if not query.strip():
        return list_sessions(store, limit, before, owner)
    words = split_query(query)
    settle_dead_turns(store)
    store.connection.create_function("spelled", 1, spelled, deterministic=True)
    walking.prepare_walks(store.connection)
    with store.reading() as connection:
        matches = walking.whole_words(connection, words[:_MOST_WORDS])
        search = _Search(words[:_MOST_WORDS], spelled(query.strip()), owner, matches)
        newest = _newest(connection, search, limit, before)
        are_more = bool(newest) and not walking.has_few(connection, owner)
        found = newest or _all(connection, search, before.time_utc)
        page = [each for each in found if each.place < before.place][: limit + 1]
        return SessionList(
            sessions=_read_matches(connection, search, page[:limit]),
            total=len(found),
            next_before=str(page[limit - 1].place) if len(page) > limit else None,
            note=_note(search, len(words), found, are_more, count_sessions(connection, owner)),
        )


def rebuild_index(store: Store) -> None:
    """Fill the search index again from the texts."""
    with store.writing() as connection:
        connection.execute("INSERT INTO search (search) VALUES ('delete-all')")
        for statement in FILL_SEARCH:
            connection.execute(statement)


def _newest(
    connection: sqlite3.Connection, search: _Search, limit: int, before: Before
) -> list[_Found]:
    """Return the newest sessions with all words, if very many have them; there may be more."""
    with_all = search.size * _CHANGES
    # The page must be there, and one session more.
    if limit >= walking.COUNTED_SESSIONS:
        return []
    # Of few sessions all are looked into, those of earlier pages too.
    is_all = walking.has_few(connection, search.owner)
    place = Before().place if is_all else before.place - with_all
    changed_before = replace(before, place=place)
    rows = walking.newest_with_all(
        connection, search.words, search.matches, changed_before, search.owner
    )
    return [_Found(key, search.size, with_all + change) for key, change in rows]


def _all(connection: sqlite3.Connection, search: _Search, time_utc: str) -> list[_Found]:
    """Return the sessions with all words, or if there is none those with any, as in the list."""
    rows = connection.execute(
        f"""
        WITH hits AS ({search.hits()})
        SELECT session_key, count(*) AS words, last_change
        FROM (SELECT DISTINCT place >> 20 AS session_key, word FROM hits)
        JOIN sessions USING (session_key)
        WHERE updated_at_utc < ? AND +owner = ? GROUP BY session_key
        """,
        [*search.values, time_utc, search.owner],
    )
    found = [_Found(key, words, words * _CHANGES + change) for key, words, change in rows]
    found.sort(key=lambda each: -each.place)
    return [each for each in found if each.words == search.size] or found


def _read_matches(
    connection: sqlite3.Connection, search: _Search, page: Sequence[_Found]
) -> tuple[Session, ...]:
    keys = json.dumps([each.session_key for each in page])
    rows = connection.execute(
        "SELECT sessions.* FROM json_each(?) JOIN sessions ON session_key = value", (keys,)
    )
    sessions = {row["session_key"]: row for row in rows}
    places = _best_places(connection, search, [each.session_key for each in page])
    return tuple(
        _to_match(connection, sessions[each.session_key], places[each.session_key], search)
        for each in page
    )


def _best_places(
    connection: sqlite3.Connection, search: _Search, keys: Sequence[int]
) -> dict[int, int]:
    """Return the row of the index that says most of each session: the newest with most words."""
    if search.matches:
        return {key: _best_place(connection, search, key) for key in keys}
    # One query for all sessions: each query of beginnings collects all that begin so.
    rows = connection.execute(
        f"""
        WITH hits AS ({search.hits()})
        SELECT place >> 20, place FROM hits WHERE place >> 20 IN (SELECT value FROM json_each(?))
        GROUP BY place ORDER BY count(*), place
        """,
        [*search.values, json.dumps(keys)],
    )
    return dict(rows.fetchall())


def _best_place(connection: sqlite3.Connection, search: _Search, session_key: int) -> int:
    hits = search.hits(f" AND {{}} BETWEEN {session_key << 20} AND {(session_key + 1 << 20) - 1}")
    best = f"SELECT place FROM ({hits}) GROUP BY place ORDER BY count(*) DESC, place DESC LIMIT 1"
    place: int = connection.execute(best, search.values).fetchone()["place"]
    return place


def _to_match(
    connection: sqlite3.Connection, row: sqlite3.Row, place: int, search: _Search
) -> Session:
    texts: tuple[str, ...] = (row["title"],)
    if place % TURNS_PER_SESSION:
        turn = connection.execute(
            "SELECT message, reply FROM turns WHERE turn_key = ?", (place,)
        ).fetchone()
        names = connection.execute("SELECT name FROM attachments WHERE turn_key = ?", (place,))
        texts = (turn["message"], turn["reply"], *(row["name"] for row in names))
    return to_session(row, cut_snippets(texts, search.words or search.text))


def _note(
    search: _Search, asked: int, found: Sequence[_Found], are_more: bool, sessions: int
) -> str | None:
    """Return what the list does not tell by itself."""
    notes = []
    if not found:
        what = "this word" if search.words else "this text"
        what = what if search.size == 1 else "any of these words"
        notes.append(f"Searched {counted(sessions, 'session')}: none has {what}.")
    elif found[0].words < search.size:
        have = f"{counted(len(found), 'has', 'have')} some"
        order = ", most of them first" if len(found) > 1 else ""
        notes.append(f"No session has all of these words; {have}{order}.")
    if are_more:
        notes.append(f"More sessions match than the newest {len(found)}, which were counted.")
    if asked > search.size:
        notes.append(f"Only the first {search.size} of the {asked} words were looked for.")
    return " ".join(notes) or None
