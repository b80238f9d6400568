import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

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
