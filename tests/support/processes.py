"""Processes as tests see them: who is there, who is gone, and who was left behind."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import anyio
import psutil
import pytest

# Long enough for a machine that other work shares; a test that passes never waits so long.
PATIENCE_SECONDS = 120.0
# How long a process may take to leave after its test before it counts as left behind.
LEAVE_SECONDS = 30.0
POLL_SECONDS = 0.02


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until the condition holds; fail with what was waited for when it never does."""
    with anyio.move_on_after(PATIENCE_SECONDS):
        while not condition():
            await anyio.sleep(POLL_SECONDS)
        return
    raise AssertionError(f"never happened: {what}")


def is_gone(pid: int) -> bool:
    """Tell whether the process has ended, reaped or not."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def processes_of(folder: Path) -> list[psutil.Process]:
    """Return the living processes whose command line or working directory names the folder."""
    found = []
    for process in psutil.process_iter():
        try:
            about = [*process.cmdline(), process.cwd()]
            is_zombie = process.status() == psutil.STATUS_ZOMBIE
        except psutil.Error:
            continue
        if not is_zombie and any(str(folder) in text for text in about):
            found.append(process)
    return found


def _still_there(known: list[psutil.Process], folder: Path) -> list[psutil.Process]:
    """Return those of the known processes that live; only when none does, look for others.

    A look at all processes of the machine takes as much time of a processor as a poll waits.
    """
    return [process for process in known if _lives(process)] or processes_of(folder)


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def command_lines_of(folder: Path) -> list[list[str]]:
    """Return the command lines of these processes."""
    lines = []
    for process in processes_of(folder):
        with suppress(psutil.Error):
            lines.append(process.cmdline())
    return lines


def has_llama_server(folder: Path) -> bool:
    """Tell whether a llama-server of the folder serves or loads: one with a port."""
    return any("--port" in line for line in command_lines_of(folder))


async def until_all_leave(folder: Path, what: str) -> None:
    """Wait until the folder has no process; fail with what was waited for when one stays."""
    left = processes_of(folder)

    def have_left() -> bool:
        nonlocal left
        left = _still_there(left, folder)
        return not left

    await until(have_left, what)


def end_leftovers(folder: Path) -> list[str]:
    """Kill the folder's processes that do not leave by themselves; return what they were."""
    deadline = time.monotonic() + LEAVE_SECONDS
    left = processes_of(folder)
    while left and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        left = _still_there(left, folder)
    described = []
    for process in left:
        try:
            described.append(f"{process.pid} {' '.join(process.cmdline())[:200]}")
            process.kill()
        except psutil.Error:
            continue
    return described


def limit_file_size(pid: int, largest_bytes: int | None) -> None:
    """Let a process write no larger files, which is to it what a full disk is; None lifts it."""
    if sys.platform != "linux":
        pytest.skip("only Linux limits the files of another process")
    limit = psutil.RLIM_INFINITY if largest_bytes is None else largest_bytes
    psutil.Process(pid).rlimit(psutil.RLIMIT_FSIZE, (limit, psutil.RLIM_INFINITY))
