"""The archive's own thread: order, cancellation, and its end."""

import threading
from functools import partial
from pathlib import Path
from subprocess import PIPE, run
from sys import executable

import anyio
import anyio.lowlevel
import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.archive_thread import ArchiveThread
from tests.support.processes import PATIENCE_SECONDS

ENDS_WHILE_WORK_HANGS = """
import asyncio, threading, anyio
from llama_mcp.sessions.archive_thread import ArchiveThread

async def main():
    begun = threading.Event()

    def hang():
        begun.set()
        threading.Event().wait()

    work = asyncio.create_task(ArchiveThread().run(hang))
    await anyio.to_thread.run_sync(begun.wait)
    print("hangs")

anyio.run(main)
"""

GOES_ON_WHEN_FORKED = """
import os, anyio
from llama_mcp.sessions.archive_thread import ArchiveThread

thread = ArchiveThread()

async def work(who):
    await thread.run(lambda: print(who, flush=True))

anyio.run(work, "before")
pid = os.fork()
anyio.run(work, "after" if pid else "copy")
if pid:
    os.waitpid(pid, 0)
"""


def archive_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "archive"]


async def test_a_thread_begins_with_the_first_use_of_the_archive_and_ends_when_it_is_closed(
    path: Path,
) -> None:
    before = archive_threads()
    archive = Archive(path)
    assert not archive.exists() and archive.last_change() is not None
    assert await archive.left_turns() == () and await archive.turns_underway() == ()
    await archive.close()
    assert archive_threads() == before
    for _ in range(2):
        await archive.list_sessions(owner=LOCAL_OWNER)
        (thread,) = set(archive_threads()) - set(before)
        await archive.list_sessions(owner=LOCAL_OWNER)
        assert set(archive_threads()) - set(before) == {thread}
        await archive.close()
        assert archive_threads() == before


async def test_work_is_done_in_the_order_in_which_it_is_asked_for() -> None:
    thread, done = ArchiveThread(), []
    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(thread.run, lambda number=number: done.append(number))
    assert done == list(range(50))
    await thread.end(lambda: None)


async def test_work_that_has_begun_is_done_and_told_to_a_caller_that_is_cancelled() -> None:
    thread = ArchiveThread()
    begun, may_end, told = threading.Event(), threading.Event(), []

    def work() -> str:
        begun.set()
        may_end.wait(PATIENCE_SECONDS)
        return "done"

    async def ask() -> None:
        told.append(await thread.run(work))
        await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await anyio.to_thread.run_sync(begun.wait)
        tasks.cancel_scope.cancel()
        may_end.set()
    assert told == ["done"]
    await thread.end(lambda: None)


async def test_work_that_waits_for_its_turn_is_not_done_when_its_caller_is_cancelled() -> None:
    thread, begun, may_end = ArchiveThread(), threading.Event(), threading.Event()
    done: list[str] = []

    def hold() -> None:
        begun.set()
        may_end.wait(PATIENCE_SECONDS)

    async with anyio.create_task_group() as holder:
        holder.start_soon(thread.run, hold)
        await anyio.to_thread.run_sync(begun.wait)
        async with anyio.create_task_group() as cancelled:
            cancelled.start_soon(thread.run, lambda: done.append("cancelled"))
            await anyio.wait_all_tasks_blocked()
            cancelled.cancel_scope.cancel()
        holder.start_soon(thread.run, lambda: done.append("behind it"))
        may_end.set()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await thread.run(lambda: done.append("cancelled before"))
    assert done == ["behind it"]
    await thread.end(lambda: None)


async def test_what_work_raises_is_raised_where_it_was_asked_for_and_the_thread_goes_on() -> None:
    thread = ArchiveThread()

    def fail() -> None:
        raise ValueError("odd")

    with pytest.raises(ValueError, match="odd"):
        await thread.run(fail)
    assert await thread.run(lambda: 1) == 1
    await thread.end(lambda: None)


async def test_the_last_work_is_done_before_the_thread_ends_and_not_without_a_thread() -> None:
    thread, done = ArchiveThread(), []
    await thread.end(lambda: done.append("nothing to close"))
    await thread.run(lambda: done.append("first"))
    await thread.end(lambda: done.append("last"))
    assert done == ["first", "last"]


async def test_what_was_asked_for_is_done_before_the_archive_is_closed(path: Path) -> None:
    archive = Archive(path)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(archive.begin_turn, None, "hello", owner=LOCAL_OWNER))
        await anyio.lowlevel.checkpoint()
        tasks.start_soon(archive.close)
    assert (await archive.list_sessions(owner=LOCAL_OWNER)).total == 1
    await archive.close()


async def test_archives_that_nobody_closes_leave_no_thread_behind(path: Path) -> None:
    before = archive_threads()
    archive = Archive(path)
    await archive.list_sessions(owner=LOCAL_OWNER)
    (thread,) = set(archive_threads()) - set(before)
    del archive
    await anyio.to_thread.run_sync(thread.join, PATIENCE_SECONDS)
    assert archive_threads() == before


def test_a_process_ends_although_the_work_of_its_archive_hangs() -> None:
    assert lines_of(ENDS_WHILE_WORK_HANGS) == ["hangs"]


@pytest.mark.posix
def test_a_process_that_was_forked_has_a_thread_of_its_own() -> None:
    before, *both = lines_of(GOES_ON_WHEN_FORKED)
    assert (before, sorted(both)) == ("before", ["after", "copy"])


def lines_of(program: str) -> list[str]:
    command = [executable, "-c", program]
    ended = run(command, timeout=PATIENCE_SECONDS, check=True, stdout=PIPE, text=True)
    return ended.stdout.splitlines()
