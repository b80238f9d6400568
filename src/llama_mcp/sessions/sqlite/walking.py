"""A search for words that most sessions have: the newest ones are looked into, one by one.

To collect all that has such a word takes long, and a page shows twenty sessions. A session is
looked into in 40 us, if the words are whole ones: the index collects all that begins with some
letters each time that it is asked. So the words are read from the index that a query's words are
the beginnings of.
"""

import sqlite3
from collections.abc import Iterator, Sequence

from llama_mcp.sessions.sqlite.reading import Before, count_sessions
from llama_mcp.sessions.sqlite.search_words import QueryWord

# So many sessions are counted.
COUNTED_SESSIONS = 300
# A word is common that the index has more often; collecting fewer takes less time than a walk.
_COMMON_ROWS = 200_000
# To look into one session takes as long as to collect so many rows.
_ROWS_PER_SESSION = 10
# How many of the newest sessions are looked into before all of them are searched at once.
_LOOKED_INTO = 600
# A beginning of more words than these is searched for at once.
_MOST_ENDINGS = 50

_WORDS = "CREATE VIRTUAL TABLE IF NOT EXISTS temp.words USING fts5vocab(main, search, instance)"
_NEXT_WORD = "SELECT term FROM temp.words WHERE term >= ? LIMIT 1"
# Sorts behind a word, and before every longer one.
_BEHIND = "\x01"
_COMMON = "SELECT count(*) > ? FROM (SELECT 1 FROM search WHERE search MATCH ? LIMIT ?)"
_IN_SESSION = "BETWEEN (session_key << 20) AND (session_key << 20) + 1048575"
_HAS_WORD = f"""
(EXISTS (SELECT 1 FROM search WHERE search MATCH ? AND rowid {_IN_SESSION})
    OR EXISTS (SELECT 1 FROM attachments WHERE turn_key {_IN_SESSION}
        AND instr(' ' || searchable(name, '') || ' ', ?)))
"""
_NEWEST = """
SELECT session_key, last_change FROM sessions
WHERE owner = ? AND last_change < ? AND updated_at_utc < ?
ORDER BY last_change DESC LIMIT ?
"""


def prepare_walks(connection: sqlite3.Connection) -> None:
    """Have the words of the index readable; not within a transaction."""
    connection.execute(_WORDS)


def whole_words(connection: sqlite3.Connection, words: Sequence[QueryWord]) -> tuple[str, ...]:
    """Return FTS5 expressions for the words, of whole ones; none if one begins too many."""
    matches = [_whole_word(connection, word) for word in words]
    return tuple(match for match in matches if match) if all(matches) else ()


def newest_with_all(
    connection: sqlite3.Connection,
    words: Sequence[QueryWord],
    matches: Sequence[str],
    before: Before,
    owner: str,
) -> list[sqlite3.Row]:
    """Return session_key and last_change of the owner's newest sessions that have all words.

    Returns:
        COUNTED_SESSIONS of them; all that there are, when the owner has so few that each is looked
        into; or none: a word is not so common, or not in so many of the newest.
    """
    if not matches or not _is_worth_it(connection, matches, owner):
        return []
    pairs = zip(matches, words, strict=True)
    rows = connection.execute(
        f"SELECT session_key, last_change FROM ({_NEWEST})"
        f" WHERE {' AND '.join([_HAS_WORD] * len(words))} ORDER BY last_change DESC LIMIT ?",
        (
            *(owner, before.place, before.time_utc, _LOOKED_INTO),
            *(value for match, word in pairs for value in (match, word.beginning)),
            COUNTED_SESSIONS,
        ),
    ).fetchall()
    return rows if len(rows) == COUNTED_SESSIONS or has_few(connection, owner) else []


def _is_worth_it(connection: sqlite3.Connection, matches: Sequence[str], owner: str) -> bool:
    """Tell whether it takes less time than to collect all that has the words."""
    if has_few(connection, owner):
        # Most of what is collected may be what others have said.
        most = _ROWS_PER_SESSION * max(1, count_sessions(connection, owner))
        return any(_is_common(connection, match, most) for match in matches)
    return all(_is_common(connection, match, _COMMON_ROWS) for match in matches)


def has_few(connection: sqlite3.Connection, owner: str) -> bool:
    """Tell whether the owner has so few sessions that each of them can be looked into."""
    return count_sessions(connection, owner) < COUNTED_SESSIONS


def _whole_word(connection: sqlite3.Connection, word: QueryWord) -> str | None:
    if not word.finds_longer:
        return word.match
    endings: list[str] = []
    for ending in _words_with(connection, word.pieces[-1]):
        endings.append(ending)
        if len(endings) > _MOST_ENDINGS:
            return None
    return word.match_of(endings) or None


def _words_with(connection: sqlite3.Connection, beginning: str) -> Iterator[str]:
    row = connection.execute(_NEXT_WORD, (beginning,)).fetchone()
    while row is not None and row["term"].startswith(beginning):
        yield row["term"]
        row = connection.execute(_NEXT_WORD, (row["term"] + _BEHIND,)).fetchone()


def _is_common(connection: sqlite3.Connection, match: str, rows: int) -> bool:
    values = (rows, match, rows + 1)
    return bool(connection.execute(_COMMON, values).fetchone()[0])
