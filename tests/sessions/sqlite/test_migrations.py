import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.sqlite import migrations
from llama_mcp.sessions.sqlite.migrations import MIGRATIONS, Migration, applied_count, migrate
from llama_mcp.sessions.sqlite.search_words import searchable


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "sessions.db", isolation_level=None)
    connection.create_function("searchable", 2, searchable, deterministic=True)
    yield connection
    connection.close()


def shape_of(connection: sqlite3.Connection) -> list[object]:
    schema = connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
    return schema + connection.execute("SELECT * FROM migrations").fetchall()


def test_a_blank_file_gets_every_migration_with_its_record(connection: sqlite3.Connection) -> None:
    migrate(connection)

    records = connection.execute("SELECT number, name FROM migrations ORDER BY number").fetchall()

    assert records == [(number, step.name) for number, step in enumerate(MIGRATIONS, start=1)]
    assert applied_count(connection) == len(MIGRATIONS)


def test_migrating_again_changes_nothing(connection: sqlite3.Connection) -> None:
    migrate(connection)
    before = shape_of(connection)
    migrate(connection)
    assert shape_of(connection) == before


def test_a_migration_that_fails_leaves_the_file_as_it_was(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(connection)
    before = shape_of(connection)
    broken = Migration("add what cannot be", ("CREATE TABLE more (a)", "CREATE TABLE more (a)"))
    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, broken))

    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        migrate(connection)

    assert shape_of(connection) == before
    assert applied_count(connection) == len(MIGRATIONS)


def test_an_older_file_gets_only_what_it_lacks(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(connection)
    more = Migration("add one table", ("CREATE TABLE more (a)",))
    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, more))

    migrate(connection)

    assert connection.execute("SELECT count(*) FROM more").fetchone() == (0,)
    names = [name for (name,) in connection.execute("SELECT name FROM migrations ORDER BY number")]
    assert names == [*(step.name for step in MIGRATIONS), "add one table"]


async def test_every_word_of_an_older_archive_is_found_in_any_spelling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sessions.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as older:
        older.create_function("searchable", 2, lambda *texts: "\n".join(texts))
        with monkeypatch.context() as patch:
            patch.setattr(migrations, "MIGRATIONS", MIGRATIONS[:3])
            migrate(older)
        _insert_turn(older, 1, "Tiếng Việt và C++ 100%")
        archive = Archive(path)

        assert await _found(archive, "viet", "c++", "c#", "%") == [1, 1, 0, 1]
        # An older llama-mcp that has the file open goes on.
        _insert_turn(older, 2, "plain words and Résumé")
        assert await _found(archive, "plain", "words") == [1, 1]
        older.execute("DELETE FROM turns")
        older.execute("DELETE FROM sessions")
        assert await _found(archive, "viet", "c++", "plain") == [0, 0, 0]
        assert applied_count(older) == len(MIGRATIONS)
        await archive.close()


async def _found(archive: Archive, *queries: str) -> list[int]:
    return [(await archive.list_sessions(query, owner=LOCAL_OWNER)).total for query in queries]


def _insert_turn(connection: sqlite3.Connection, session_key: int, reply: str) -> None:
    connection.execute(
        "INSERT INTO sessions (session_key, session_id, title, created_at_utc, updated_at_utc,"
        " last_change, turn_count) VALUES (?1, ?1, 'title', '', '', ?1, 1)",
        (session_key,),
    )
    connection.execute(
        "INSERT INTO turns (turn_key, status, sampling, started_at_utc, message, reply)"
        " VALUES (?, 'complete', '{}', '', 'message', ?)",
        ((session_key << 20) + 1, reply),
    )
