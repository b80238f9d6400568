"""A disk that is full or read-only, a file that is locked."""

import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from sys import executable

import pytest

from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.errors import ArchiveError
from llama_mcp.sessions.records import TurnEnding, TurnStatus
from llama_mcp.sessions.sqlite import opening
from llama_mcp.sessions.sqlite.failures import archive_error
from tests.sessions.talk import have_session, put

OWN_MOUNTS = ["unshare", "--map-root-user", "--mount"]
READ_ONLY = """
import anyio, sys
from pathlib import Path
from llama_mcp.sessions.errors import ArchiveError
from llama_mcp.sessions.archive import Archive

async def main():
    archive = Archive(Path(sys.argv[1]))
    for attempt in (archive.begin_turn(None, "hello"), archive.list_sessions()):
        try:
            await attempt
        except ArchiveError as error:
            print(error)

anyio.run(main)
"""


def run_with_own_mounts(*command: object) -> list[str]:
    try:
        subprocess.run([*OWN_MOUNTS, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system lets us have no mounts of our own")
    words = [*OWN_MOUNTS, *map(str, command)]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()


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


@pytest.mark.parametrize("exists", [False, True], ids=["new", "existing"])
async def test_a_folder_that_is_read_only_is_an_error_that_says_so(
    archive: Archive, path: Path, exists: bool
) -> None:
    put(path, b"")
    if exists:
        await have_session(archive, turns=1)
        await archive.close()
    else:
        os.unlink(path)
    bind = 'mount --bind -o ro "$1" "$1" && exec "$2" -c "$3" "$4"'

    errors = run_with_own_mounts("sh", "-c", bind, "sh", path.parent, executable, READ_ONLY, path)

    assert len(errors) == 2
    for error in errors:
        assert f"{path} cannot be written" in error
        assert "LLAMA_MCP_HOME" in error


async def test_a_file_that_stays_locked_is_an_error_and_the_archive_works_afterwards(
    archive: Archive, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "BUSY_TIMEOUT_SECONDS", 0.05)
    session_id = await have_session(archive, turns=1)
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(ArchiveError, match="locked by another program"):
            await archive.begin_turn(session_id, "hello")
        assert (await archive.turns(session_id)).total == 1

    assert (await archive.begin_turn(session_id, "hello")).turn == 2


async def test_an_ending_that_found_the_file_locked_is_written_by_the_next_call(
    archive: Archive, other: Archive, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "BUSY_TIMEOUT_SECONDS", 0.05)
    session_id = (await archive.begin_turn(None, "hello")).session.session_id
    ending = TurnEnding(status=TurnStatus.COMPLETE, reply="the whole reply")
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(ArchiveError):
            await archive.end_turn(session_id, 1, ending)
        with pytest.raises(ArchiveError, match="locked"):
            await archive.begin_turn(session_id, "next")

    await archive.close()

    assert (await other.last_turn(session_id)).reply == "the whole reply"


async def test_a_folder_in_the_place_of_the_file_is_an_error(archive: Archive, path: Path) -> None:
    os.makedirs(path)
    with pytest.raises(ArchiveError):
        await archive.list_sessions()


async def test_a_file_in_the_place_of_the_folder_is_an_error(archive: Archive, path: Path) -> None:
    put(path.parent, b"")
    with pytest.raises(ArchiveError, match="cannot be written"):
        await archive.list_sessions()


def test_an_error_without_a_number_is_still_told_with_a_next_step() -> None:
    error = archive_error(Path("sessions.db"), sqlite3.InterfaceError("odd"))
    assert "sessions.db could not be read or written (odd)" in str(error)
