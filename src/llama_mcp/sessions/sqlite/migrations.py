"""The shape of the archive, and how a file of an older shape becomes one of today's.

MIGRATIONS is the history: entries are added at the end and never changed. Each is committed
together with its record and the file's user_version, which says how many were applied and can be
read before the schema is.
"""

import sqlite3
from dataclasses import dataclass

from llama_mcp.sessions.sqlite.file_tables import FILE_TABLES
from llama_mcp.sessions.sqlite.job_tables import JOB_TABLES
from llama_mcp.sessions.sqlite.owner_tables import OWNER_TABLES
from llama_mcp.sessions.sqlite.spent_tables import SPENT_TABLES
from llama_mcp.sessions.texts import utc_now

# Says whose file it is: "llmc" in ASCII.
APPLICATION_ID = 0x6C6C6D63


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: a name that says what it does, and its statements."""

    name: str
    statements: tuple[str, ...]


_SESSIONS = """
CREATE TABLE sessions (
    session_key INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice: turn_key is built from it
    session_id TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    created_at_utc TEXT NOT NULL,
    updated_at_utc TEXT NOT NULL,
    last_change INTEGER NOT NULL UNIQUE, -- the list's order: a count, because clocks jump and tie
    turn_count INTEGER NOT NULL, -- kept, so that a list reads no turns
    first_turn_in_prompt INTEGER NOT NULL DEFAULT 1, -- kept, so that later prompts begin alike
    forked_from TEXT, -- no foreign key: the original may be deleted
    forked_at_turn INTEGER,
    system_prompt TEXT -- last, because it may be long
)
"""

_TURNS = """
CREATE TABLE turns (
    -- session_key * 1048576 + turn: a session's turns lie together, in order, without an index,
    -- and the search index, which has nothing but this key, knows the session
    turn_key INTEGER PRIMARY KEY,
    session_key INTEGER AS (turn_key >> 20),
    turn INTEGER AS (turn_key & 1048575),
    status TEXT NOT NULL
        CHECK (status IN ('in_progress', 'complete', 'cancelled', 'failed', 'interrupted')),
    imported INTEGER NOT NULL DEFAULT 0,
    model TEXT,
    sampling TEXT NOT NULL, -- a JSON object: llama-server's parameters change with its versions
    finish_reason TEXT,
    prompt_tokens INTEGER,
    cached_tokens INTEGER,
    completion_tokens INTEGER,
    first_token_ms REAL,
    total_ms REAL,
    prompt_tokens_per_second REAL,
    tokens_per_second REAL,
    context_tokens INTEGER,
    notes TEXT NOT NULL DEFAULT '[]', -- a JSON list
    error TEXT,
    started_at_utc TEXT NOT NULL,
    ended_at_utc TEXT,
    message TEXT NOT NULL,
    reasoning TEXT NOT NULL DEFAULT '',
    reply TEXT NOT NULL DEFAULT '',
    CHECK (turn > 0)
)
"""

_UNDERWAY = """
CREATE TABLE underway (
    -- One row for each turn in progress. Apart from turns, so that saving a partial reply does
    -- not write a long message again, and so that unfinished turns are found without looking.
    turn_key INTEGER PRIMARY KEY,
    writer_id TEXT NOT NULL, -- whose lock shows that the turn can still be finished
    saved_at_utc TEXT NOT NULL,
    reasoning TEXT NOT NULL DEFAULT '',
    reply TEXT NOT NULL DEFAULT ''
)
"""

# Only an index: the texts are in turns and sessions already. Row session_key << 20 is the title.
# What is deleted must be passed again exactly as it was inserted, so searchable()
# (search_words.py) may not change without a migration that fills the index again. The last of
# these migrations says how the index is made.
_SEARCH = """
CREATE VIRTUAL TABLE search USING fts5 (
    words, content='', columnsize=0, tokenize='unicode61 remove_diacritics 2'
)
"""

_TITLE_TRIGGERS = (
    """
    CREATE TRIGGER session_added AFTER INSERT ON sessions BEGIN
        UPDATE totals SET sessions = sessions + 1;
        INSERT INTO search (rowid, words)
            VALUES (new.session_key << 20, searchable(new.title, ''));
    END
    """,
    """
    CREATE TRIGGER session_retitled AFTER UPDATE OF title ON sessions BEGIN
        INSERT INTO search (search, rowid, words)
            VALUES ('delete', old.session_key << 20, searchable(old.title, ''));
        INSERT INTO search (rowid, words)
            VALUES (new.session_key << 20, searchable(new.title, ''));
    END
    """,
    """
    CREATE TRIGGER session_removed AFTER DELETE ON sessions BEGIN
        UPDATE totals SET sessions = sessions - 1;
        INSERT INTO search (search, rowid, words)
            VALUES ('delete', old.session_key << 20, searchable(old.title, ''));
    END
    """,
)

# A turn is indexed when it has ended, once: not while its reply grows.
_TURN_TRIGGERS = (
    """
    CREATE TRIGGER turn_added AFTER INSERT ON turns WHEN new.status <> 'in_progress' BEGIN
        INSERT INTO search (rowid, words)
            VALUES (new.turn_key, searchable(new.message, new.reply));
    END
    """,
    """
    CREATE TRIGGER turn_ended AFTER UPDATE OF status, message, reply ON turns
    WHEN old.status = 'in_progress' AND new.status <> 'in_progress' BEGIN
        INSERT INTO search (rowid, words)
            VALUES (new.turn_key, searchable(new.message, new.reply));
    END
    """,
    """
    CREATE TRIGGER turn_corrected AFTER UPDATE OF status, message, reply ON turns
    WHEN old.status <> 'in_progress' AND new.status <> 'in_progress' BEGIN
        INSERT INTO search (search, rowid, words)
            VALUES ('delete', old.turn_key, searchable(old.message, old.reply));
        INSERT INTO search (rowid, words)
            VALUES (new.turn_key, searchable(new.message, new.reply));
    END
    """,
    """
    CREATE TRIGGER turn_removed AFTER DELETE ON turns WHEN old.status <> 'in_progress' BEGIN
        INSERT INTO search (search, rowid, words)
            VALUES ('delete', old.turn_key, searchable(old.message, old.reply));
    END
    """,
)

FILL_SEARCH = (
    """
    INSERT INTO search (rowid, words) SELECT session_key << 20, searchable(title, '') FROM sessions
    """,
    """
    INSERT INTO search (rowid, words)
        SELECT turn_key, searchable(message, reply) FROM turns WHERE status <> 'in_progress'
    """,
)

MIGRATIONS = (
    Migration(
        "keep sessions and turns, and an index to search them",
        (
            _SESSIONS,
            _TURNS,
            _UNDERWAY,
            "CREATE TABLE totals (sessions INTEGER NOT NULL) -- one row: counting reads them all",
            "INSERT INTO totals VALUES (0)",
            _SEARCH,
            *_TITLE_TRIGGERS,
            *_TURN_TRIGGERS,
        ),
    ),
    Migration(
        "keep how a turn was served, and what says why a prompt was not in the cache",
        (
            "ALTER TABLE turns ADD COLUMN run TEXT /* the launch of llama-server that served it */",
            "ALTER TABLE turns ADD COLUMN receipt TEXT /* a JSON object */",
            "ALTER TABLE sessions ADD COLUMN system_prompt_changed_after_turn INTEGER",
        ),
    ),
    Migration(
        "count changes of sessions, so that no number of one is used twice",
        (
            "ALTER TABLE totals ADD COLUMN last_change INTEGER NOT NULL DEFAULT 0",
            "UPDATE totals SET last_change = (SELECT coalesce(max(last_change), 0) FROM sessions)",
        ),
    ),
    Migration(
        "index words in one spelling, and symbols",
        (
            "DROP TABLE search",
            # searchable() alone says what a word is: this tokenizer parts at blanks, whatever
            # Unicode SQLite knows. It takes what an older llama-mcp that has the file open writes.
            """
            CREATE VIRTUAL TABLE search USING fts5 (
                words, content='', columnsize=0, tokenize='ascii tokenchars ''#$%&+<=>@|~'''
            )
            """,
            *FILL_SEARCH,
        ),
    ),
    Migration(
        "say of a turn under way which process generates it, and that it should stop",
        (
            "ALTER TABLE underway ADD COLUMN writer_pid INTEGER",
            "ALTER TABLE underway ADD COLUMN is_cancel_asked INTEGER NOT NULL DEFAULT 0",
        ),
    ),
    Migration(
        "say of a turn under way where another process can read on with its reply",
        (
            "ALTER TABLE underway ADD COLUMN stream_id TEXT /* a secret: who has it can read */",
            "ALTER TABLE underway ADD COLUMN stream_run TEXT /* the launch of llama-server */",
            "ALTER TABLE underway ADD COLUMN stream_byte INTEGER NOT NULL DEFAULT 0",
            "ALTER TABLE underway ADD COLUMN stream_state TEXT /* JSON: all but the texts */",
        ),
    ),
    Migration(
        "know a call again that was cut off and is made once more",
        (
            # Apart from turns: only the last minute's are kept, so that no index is needed.
            """
            CREATE TABLE recent_calls (
                turn_key INTEGER PRIMARY KEY,
                call TEXT NOT NULL, -- a digest of all that was asked
                is_told INTEGER NOT NULL DEFAULT 0, -- a caller has had a result
                is_left INTEGER NOT NULL DEFAULT 0 -- its process has ended, and with it its caller
            )
            """,
        ),
    ),
    Migration("keep the finished pieces of jobs over files", JOB_TABLES),
    Migration(
        "keep the files of a turn: those that were sent with it, and the one its reply goes to",
        FILE_TABLES,
    ),
    Migration("say whose each session is", OWNER_TABLES),
    Migration("count the tokens of owners who have a limit", SPENT_TABLES),
)


def applied_count(connection: sqlite3.Connection) -> int:
    """Return how many migrations made the file what it is."""
    count: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return count


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file to today's shape; each step is applied whole or not at all."""
    for number, migration in enumerate(MIGRATIONS, start=1):
        if applied_count(connection) >= number:
            continue
        connection.execute("BEGIN IMMEDIATE")
        try:
            _apply(connection, number, migration)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def _apply(connection: sqlite3.Connection, number: int, migration: Migration) -> None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations"
        " (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at_utc TEXT NOT NULL)"
    )
    for statement in migration.statements:
        connection.execute(statement)
    connection.execute(
        "INSERT INTO migrations (number, name, applied_at_utc) VALUES (?, ?, ?)",
        (number, migration.name, utc_now()),
    )
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {number}")
