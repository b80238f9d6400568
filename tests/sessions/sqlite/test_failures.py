"""A disk that is full or read-only, a file that is locked."""

import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from sys import executable

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.errors import ArchiveError, ArchiveLockedError
from llama_mcp.sessions.patience import waiting_at_most
from llama_mcp.sessions.records import TurnEnding, TurnStatus
from llama_mcp.sessions.sqlite.failures import archive_error
from tests.sessions.talk import have_session, put
from tests.support.privileges import OWN_MOUNTS, need
from tests.support.processes import PATIENCE_SECONDS

READ_ONLY = """
import anyio, sys
from pathlib import Path
from llama_mcp.sessions.errors import ArchiveError
from llama_mcp.sessions.archive import Archive

async def main():
    archive = Archive(Path(sys.argv[1]))
    for attempt in (
        archive.begin_turn(None, "hello", owner="local"), archive.list_sessions(owner="local")
    ):
        try:
            await attempt
        except ArchiveError as error:
            print(error)

anyio.run(main)
"""


READ = """
import anyio, sys
from pathlib import Path
from llama_mcp.sessions.errors import ArchiveError
from llama_mcp.sessions.archive import Archive

async def main():
    archive, session_id = Archive(Path(sys.argv[1])), sys.argv[2]
    for attempt, count in (
        (archive.list_sessions(owner="local"), lambda found: found.total),
        (archive.turns(session_id, owner="local"), lambda page: page.total),
        (archive.list_sessions("message", owner="local"), lambda found: found.total),
        (archive.turn_statistics(owner="local"), lambda models: 1),
        (archive.delete_session(session_id, owner="local"), lambda session: "deleted"),
    ):
        try:
            print(count(await attempt))
        except ArchiveError as error:
            print(error)

anyio.run(main)
"""


READ_AGAIN = """
import anyio, sys
from pathlib import Path
from llama_mcp.sessions.archive import Archive

async def main():
    archive = Archive(Path(sys.argv[1]))
    print((await archive.list_sessions(owner="local")).total, flush=True)
    sys.stdin.readline()
    print((await archive.list_sessions(owner="local")).total, flush=True)

anyio.run(main)
"""


def run_with_own_mounts(*command: object) -> list[str]:
    need("mounts of its own", OWN_MOUNTS)
    words = [*OWN_MOUNTS, *map(str, command)]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()


def in_a_read_only_folder(program: str, path: Path, *arguments: str) -> list[str]:
    """Return the command of a Python program that may only read the folder of the path."""
    bind = 'folder=$1; shift; mount --bind -o ro "$folder" "$folder" && exec "$@"'
    command = (executable, "-c", program, path, *arguments)
    return [*OWN_MOUNTS, "sh", "-c", bind, "sh", *map(str, (path.parent, *command))]


def run_on_a_read_only_disk(program: str, path: Path, *arguments: str) -> list[str]:
    _, _, _, *command = in_a_read_only_folder(program, path, *arguments)
    return run_with_own_mounts(*command)


def test_a_file_that_another_program_holds_open_on_windows_is_said_to_be_in_use() -> None:
    error = PermissionError(13, "The process cannot access the file")
    error.winerror = 32  # type: ignore[attr-defined,unused-ignore]  # Windows alone declares it
    assert "is locked by another program" in str(archive_error(Path("sessions.db"), error))


def test_a_full_disk_is_an_error_and_the_reply_is_written_when_there_is_room_again(
    tmp_path: Path,
) -> None:
    program = Path(__file__).parents[1] / "small_disk_program.py"

    *errors, while_full, afterwards, on_new, begun = run_with_own_mounts(
        executable, program, tmp_path
    )

    assert len(errors) == 3
    for error in (*errors, on_new):
        assert "is on a full disk" in error
        assert "Free some space" in error
    assert while_full == "in_progress a long"
    assert afterwards == "complete True"
    assert begun == "1 None"


async def test_a_new_archive_on_a_read_only_disk_is_an_error_that_says_so(path: Path) -> None:
    path.parent.mkdir()
    errors = run_on_a_read_only_disk(READ_ONLY, path)
    assert len(errors) == 2
    for error in errors:
        assert f"{path} cannot be written" in error
        assert "LLAMA_MCP_HOME" in error


async def leave_as_a_killed_process_does(archive: Archive, path: Path) -> None:
    left = {end: Path(f"{path}{end}").read_bytes() for end in ("", "-wal", "-shm")}  # noqa: ASYNC240 - small
    await archive.close()
    for end, content in left.items():
        put(Path(f"{path}{end}"), content)


# How the last process left the archive: closed; killed, with a log of writes beside the file; and
# after a copy that forgot the index of that log, which SQLite cannot make anew there.
@pytest.mark.parametrize("left", ["closed", "killed", "without -shm"])
async def test_sessions_on_a_read_only_disk_can_be_listed_read_and_searched(
    archive: Archive, path: Path, left: str
) -> None:
    session_id = await have_session(archive, turns=2)
    if left == "closed":
        await archive.close()
    else:
        await leave_as_a_killed_process_does(archive, path)
    if left == "without -shm":
        os.unlink(f"{path}-shm")
    answers = run_on_a_read_only_disk(READ, path, session_id)
    if left == "without -shm":
        assert len(answers) == 5 and all("cannot be written" in answer for answer in answers)
    else:
        assert answers[:4] == ["1", "2", "1", "1"]
        assert f"{path} cannot be written" in answers[4]


async def test_what_others_write_to_an_archive_that_may_only_be_read_is_seen(
    archive: Archive, path: Path
) -> None:
    await have_session(archive, turns=1)
    await archive.close()
    need("mounts of its own", OWN_MOUNTS)
    command = in_a_read_only_folder(READ_AGAIN, path)
    async with await anyio.open_process(command, stderr=None) as reader:
        assert reader.stdin and reader.stdout
        answers = BufferedByteReceiveStream(reader.stdout)
        assert await answers.receive_until(b"\n", 9) == b"1"
        await have_session(archive, turns=1)
        await reader.stdin.send(b"again\n")
        assert await answers.receive_until(b"\n", 9) == b"2"


@pytest.mark.posix
async def test_a_path_that_is_too_long_for_sqlite_is_said_to_be(tmp_path: Path) -> None:
    path = tmp_path.joinpath(*["a" * 200] * 3, "sessions.db")
    with pytest.raises(ArchiveError, match=rf"its path has {len(str(path))} bytes.*shorter path"):
        await Archive(path).list_sessions(owner=LOCAL_OWNER)


async def test_a_file_that_stays_locked_is_an_error_and_the_archive_works_afterwards(
    archive: Archive, path: Path
) -> None:
    session_id = await have_session(archive, turns=1)
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with (
            waiting_at_most(0),
            pytest.raises(ArchiveLockedError, match="locked by another .* Nothing that was saved"),
        ):
            await archive.begin_turn(session_id, "hello", owner=LOCAL_OWNER)
        assert (await archive.turns(session_id, owner=LOCAL_OWNER)).total == 1

    assert (await archive.begin_turn(session_id, "hello", owner=LOCAL_OWNER)).turn == 2


async def test_an_ending_that_found_the_file_locked_is_written_by_the_next_call(
    archive: Archive, other: Archive, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llama_mcp.sessions.turn_archive.ENDING_SECONDS", 0.0)
    session_id = (await archive.begin_turn(None, "hello", owner=LOCAL_OWNER)).session.session_id
    ending = TurnEnding(status=TurnStatus.COMPLETE, reply="the whole reply")
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(ArchiveError):
            await archive.end_turn(session_id, 1, ending)
        with waiting_at_most(0), pytest.raises(ArchiveLockedError):
            await archive.begin_turn(session_id, "next", owner=LOCAL_OWNER)

    await archive.close()

    assert (await other.last_turn(session_id, owner=LOCAL_OWNER)).reply == "the whole reply"


async def test_who_waits_for_a_busy_writer_holds_up_nobody_and_succeeds(
    archive: Archive, path: Path
) -> None:
    session_id = await have_session(archive, turns=1)
    begun: list[int] = []

    async def begin() -> None:
        begun.append((await archive.begin_turn(session_id, "hello", owner=LOCAL_OWNER)).turn)

    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(begin)
            for _ in range(3):
                assert (await archive.list_sessions(owner=LOCAL_OWNER)).total == 1
            assert not begun
            writer.execute("COMMIT")
    assert begun == [2]


async def test_a_file_that_is_locked_from_the_beginning_is_opened_when_it_is_free(
    archive: Archive, other: Archive, path: Path
) -> None:
    await have_session(archive, turns=1)
    await archive.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        with waiting_at_most(0), pytest.raises(ArchiveLockedError):
            await other.list_sessions(owner=LOCAL_OWNER)
    assert (await other.list_sessions(owner=LOCAL_OWNER)).total == 1


async def test_a_process_that_ends_waits_for_nobody(archive: Archive, path: Path) -> None:
    session_id = await have_session(archive, turns=1)
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        async with anyio.create_task_group() as tasks:

            async def begin() -> None:
                with (
                    waiting_at_most(PATIENCE_SECONDS, PATIENCE_SECONDS),
                    anyio.fail_after(PATIENCE_SECONDS / 2),
                    pytest.raises(ArchiveLockedError),
                ):
                    await archive.begin_turn(session_id, "hello", owner=LOCAL_OWNER)

            tasks.start_soon(begin)
            await archive.list_sessions(owner=LOCAL_OWNER)
            archive.shorten_waits()


async def test_a_folder_in_the_place_of_the_file_is_an_error(archive: Archive, path: Path) -> None:
    os.makedirs(path)
    with pytest.raises(ArchiveError):
        await archive.list_sessions(owner=LOCAL_OWNER)


async def test_a_file_in_the_place_of_the_folder_is_an_error(archive: Archive, path: Path) -> None:
    put(path.parent, b"")
    with pytest.raises(ArchiveError, match="has no folder to lie in"):
        await archive.list_sessions(owner=LOCAL_OWNER)


def test_an_error_without_a_number_is_still_told_with_a_next_step() -> None:
    error = archive_error(Path("sessions.db"), sqlite3.InterfaceError("odd"))
    assert "sessions.db could not be read or written (odd)" in str(error)
