"""What tells that files were changed and that processes have ended."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from llama_mcp.keeper import identity, run_dir
from llama_mcp.llama_server.runs.kept import (
    STANDSTILL_SECONDS,
    Stamps,
    Watched,
    standstill_seconds,
)
from llama_mcp.llama_server.runs.records import ProcessRecord
from tests.support.processes import until

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a pidfd")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    run_dir.write_whole(str(folder / "state.json"), {"state": 1})
    return folder


def rewrite(folder: Path) -> None:
    before = (folder / "state.json").stat()
    with (folder / "state.json").open("r+b") as file:
        file.write(b'{"state": 2}')
    os.utime(folder / "state.json", ns=(before.st_atime_ns, before.st_mtime_ns))


def waiting_process() -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            lambda folder: run_dir.write_whole(str(folder / "state.json"), {"state": 2}),
            id="written whole",
        ),
        # Windows keeps no time of the last change of a file's data or name.
        pytest.param(rewrite, id="rewritten where it is", marks=pytest.mark.posix),
        pytest.param(lambda folder: (folder / "stop").touch(), id="a file more"),
        pytest.param(lambda folder: (folder / "state.json").unlink(), id="a file less"),
        pytest.param(lambda folder: folder.rename(folder.with_name("moved")), id="moved"),
    ],
)
async def test_every_change_shows_that_comes_after_a_look_at_old_files(
    folder: Path, change: Callable[[Path], None]
) -> None:
    paths = [str(folder), str(folder / "state.json"), str(folder / "outcome.json")]
    await until(lambda: Stamps(paths).are_old(), "the files are old enough")
    stamps = Stamps(paths)
    assert stamps.hold()
    change(folder)
    assert not stamps.hold()


def test_files_that_have_just_been_changed_are_not_old(folder: Path) -> None:
    assert not Stamps([str(folder)]).are_old()


def test_a_time_in_whole_seconds_may_stand_still_for_longer() -> None:
    assert standstill_seconds(1_700_000_000_123_456_789) == STANDSTILL_SECONDS
    assert standstill_seconds(1_700_000_000_000_000_000) > 2


def test_what_is_not_there_shows_once_it_is(folder: Path) -> None:
    stamps = Stamps([str(folder / "outcome.json")])
    assert stamps.hold() and stamps.are_old()
    (folder / "outcome.json").touch()
    assert not stamps.hold()


@linux
async def test_the_end_of_a_process_is_seen_although_nobody_has_reaped_it() -> None:
    process = waiting_process()
    record = ProcessRecord(pid=process.pid, start=identity.process_start(process.pid))
    watched = Watched()
    try:
        assert watched.add(record) and watched.live()
        process.kill()
        await until(lambda: not watched.live(), "its end is seen")
    finally:
        watched.close()
        process.kill()
        process.communicate()


@linux
def test_a_process_that_is_gone_or_is_another_one_cannot_be_watched() -> None:
    watched = Watched()
    assert not watched.add(ProcessRecord(pid=os.getpid(), start="another/1"))
    assert not watched.add(ProcessRecord(pid=2**22 + 1, start="another/1"))
    watched.close()
