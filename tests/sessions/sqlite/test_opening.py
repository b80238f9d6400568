"""Files that are new, private, newer, foreign, or damaged."""

import os
import random
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.errors import ArchiveError, SessionNotFoundError
from llama_mcp.sessions.sqlite.migrations import MIGRATIONS
from tests.sessions.talk import damage_index, have_session, mode_of, put, say, start_writer

SESSION_INDEX = "sqlite_autoindex_sessions_1"


def snapshot(folder: Path) -> dict[str, bytes]:
    """What is in the folder, but for the lock of those who open."""
    return {
        path.name: path.read_bytes()
        for path in folder.glob("sessions.db*")
        if path.suffix != ".lock"
    }


def damaged_files(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}.damaged-*Z"))


async def test_an_archive_that_nobody_used_makes_nothing(path: Path) -> None:
    archive = Archive(path)
    assert archive.notice() is None
    await archive.close()
    assert not path.parent.exists()


@pytest.mark.skipif(sys.platform != "win32", reason="elsewhere an open file can be renamed")
async def test_a_damaged_file_that_another_program_holds_open_stays_where_it_is(path: Path) -> None:
    put(path, b"no database" * 1000)
    before = snapshot(path.parent)
    archive = Archive(path)
    with path.open("rb"), pytest.raises(ArchiveError, match="is locked by another program"):
        await archive.list_sessions(owner=LOCAL_OWNER)
    assert snapshot(path.parent) == before
    await archive.list_sessions(owner=LOCAL_OWNER)
    assert len(damaged_files(path)) == 1
    await archive.close()


@pytest.mark.posix
async def test_everything_is_private_to_its_owner_whatever_the_umask(path: Path) -> None:
    previous = os.umask(0)
    try:
        archive = Archive(path)
        await say(archive, "secret", "reply")
    finally:
        os.umask(previous)

    modes = {found.name: mode_of(found) for found in path.parent.iterdir()}

    assert mode_of(path.parent) == 0o700
    assert modes.pop("writers") == 0o700
    assert {"sessions.db", "sessions.db-wal", "sessions.db-shm"} <= set(modes)
    assert set(modes.values()) == {0o600}
    await archive.close()


@pytest.mark.posix
async def test_a_file_that_others_could_read_is_made_private(path: Path) -> None:
    put(path, b"", mode=0o644)
    archive = Archive(path)
    await archive.list_sessions(owner=LOCAL_OWNER)
    assert mode_of(path) == 0o600
    await archive.close()


async def test_a_closed_archive_opens_again_with_all_that_was_in_it(archive: Archive) -> None:
    session_id = await have_session(archive, turns=2)
    await archive.close()
    assert (await archive.turns(session_id, owner=LOCAL_OWNER)).total == 2


async def test_a_newer_file_is_refused_and_left_as_it_is(path: Path) -> None:
    archive = Archive(path)
    await have_session(archive, turns=1)
    await archive.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
        # As from a schema that this program's SQLite does not understand.
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET sql = '?' WHERE name = 'turns'")
        connection.commit()
    before = snapshot(path.parent)

    with pytest.raises(ArchiveError, match="newer llama-mcp.*Update llama-mcp"):
        await archive.list_sessions(owner=LOCAL_OWNER)

    assert snapshot(path.parent) == before
    assert damaged_files(path) == []


@pytest.mark.parametrize("version", [0, 75])
async def test_a_database_of_another_program_is_refused_and_left_as_it_is(
    archive: Archive, path: Path, version: int
) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url)")
        connection.execute(f"PRAGMA user_version = {version}")
    before = snapshot(path.parent)

    with pytest.raises(ArchiveError, match="another program"):
        await archive.begin_turn(None, "hello", owner=LOCAL_OWNER)

    assert snapshot(path.parent) == before


@pytest.mark.parametrize(
    "content",
    [
        b"this was never a database",
        b"\x00" * 8192,
        b"SQLite format 3\x00" + b"\xff" * 4080,
        random.Random(7).randbytes(50_000),
    ],
    ids=["text", "zeros", "broken header", "noise"],
)
async def test_a_damaged_file_is_moved_aside_whole_and_a_fresh_one_opened(
    archive: Archive, path: Path, content: bytes
) -> None:
    put(path, content)

    session_id = await say(archive, "hello", "hi")

    (moved,) = damaged_files(path)
    assert moved.read_bytes() == content
    assert str(moved) in (archive.notice() or "")
    assert archive.notice() is None
    assert (await archive.last_turn(session_id, owner=LOCAL_OWNER)).reply == "hi"


async def test_that_a_damaged_file_was_moved_aside_is_logged_once_with_its_new_path(
    archive: Archive, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(path, b"this was never a database")
    with caplog.at_level("INFO", logger="llama_mcp"):
        await say(archive, "hello", "hi")
    (moved,) = damaged_files(path)
    assert caplog.messages == [f"A damaged archive was set aside as {moved}"]


async def test_a_file_cut_short_is_moved_aside(archive: Archive, path: Path) -> None:
    await have_session(archive, turns=20)
    await archive.close()
    os.truncate(path, 6000)

    assert (await archive.list_sessions(owner=LOCAL_OWNER)).total == 0

    assert [moved.stat().st_size for moved in damaged_files(path)] == [6000]
    assert str(damaged_files(path)[0]) in (archive.notice() or "")


async def test_damage_found_while_in_use_is_reported_and_the_next_call_works(
    archive: Archive, path: Path
) -> None:
    session_id = await say(archive, "long ago", "hi")
    await archive.close()
    content = damage_index(path, SESSION_INDEX)

    with pytest.raises(ArchiveError, match="damaged") as failure:
        await archive.begin_turn(session_id, "hello again", owner=LOCAL_OWNER)

    (moved,) = damaged_files(path)
    assert str(moved) in str(failure.value)
    assert moved.read_bytes() == content
    await say(archive, "a new beginning", "yes")
    with pytest.raises(SessionNotFoundError):
        await archive.session(session_id, owner=LOCAL_OWNER)


@pytest.mark.posix
async def test_two_archives_that_find_the_same_damage_move_one_file_aside(
    archive: Archive, other: Archive, path: Path
) -> None:
    session_id = await say(archive, "long ago", "hi")
    await archive.close()
    damage_index(path, SESSION_INDEX)
    # Opens the damaged file before the first one moves it.
    assert (await other.list_sessions(owner=LOCAL_OWNER)).total == 1
    with pytest.raises(ArchiveError, match="damaged"):
        await archive.session(session_id, owner=LOCAL_OWNER)

    new = await say(archive, "a new beginning", "yes")

    assert (await other.session(new, owner=LOCAL_OWNER)).title == "a new beginning"
    assert len(damaged_files(path)) == 1


@pytest.mark.slow
async def test_processes_that_open_a_damaged_file_at_once_share_one_fresh_archive(
    archive: Archive, path: Path
) -> None:
    put(path, b"damaged" * 1000)
    writers = [start_writer("stream", path, "-") for _ in range(8)]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline().startswith("begun")
    for writer in writers:
        writer.kill()
        writer.communicate()

    assert (await archive.list_sessions(owner=LOCAL_OWNER)).total == 8
    assert [moved.read_bytes() for moved in damaged_files(path)] == [b"damaged" * 1000]


@pytest.mark.posix
async def test_an_archive_that_was_deleted_while_in_use_is_begun_again(
    archive: Archive, path: Path
) -> None:
    await say(archive, "hello", "hi")
    for suffix in ("", "-wal", "-shm"):
        os.unlink(f"{path}{suffix}")

    assert (await archive.list_sessions(owner=LOCAL_OWNER)).total == 0
    assert "moved or deleted" in (archive.notice() or "")


async def test_who_only_looks_leaves_a_damaged_archive_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    path.write_bytes(b"no database at all " * 100)
    archive = Archive(path, may_replace=False)
    with pytest.raises(ArchiveError, match="is damaged .* and was left as it is"):
        await archive.list_sessions(owner=LOCAL_OWNER)
    await archive.close()
    assert path.read_bytes() == b"no database at all " * 100
    assert not any("damaged" in name for name in os.listdir(tmp_path))
