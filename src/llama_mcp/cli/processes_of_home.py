"""The processes that belong to a home of llama-mcp which only lives for a while."""

from contextlib import suppress
from pathlib import Path

import anyio
import anyio.to_thread
import psutil

from llama_mcp.home_folders import HOME
from llama_mcp.visible_text import visible_line
from llama_mcp.wording import shortened

POLL_SECONDS = 0.05
# What does not go when it is killed waits for a disk or a device; nobody can end it.
MOST_KILL_SECONDS = 10.0
_MOST_COMMAND_CHARACTERS = 100


def processes_of_home(home: Path) -> list[psutil.Process]:
    """Return the live processes that work in the home, or that have its name from their parents.

    Each is known by its pid and its start time, so that no other is taken for it later.
    """
    found, resolved = [], home.resolve()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # it has just ended, or is somebody else's
            if _belongs(process, home, resolved) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


async def wait_until_left(home: Path, seconds: float) -> list[psutil.Process]:
    """Wait so long until the home has no process; return those that are still there."""
    left: list[psutil.Process] = []
    deadline = anyio.current_time() + seconds
    while left := await anyio.to_thread.run_sync(processes_of_home, home):
        if anyio.current_time() >= deadline:
            break
        await anyio.sleep(POLL_SECONDS)
    return left


async def end_processes_of_home(home: Path) -> None:
    """Kill what runs in the home until nothing does, or nothing more can be done."""
    with anyio.move_on_after(MOST_KILL_SECONDS):
        while left := await anyio.to_thread.run_sync(processes_of_home, home):
            for process in left:
                with suppress(psutil.Error):
                    process.kill()
            await anyio.sleep(POLL_SECONDS)


def described(process: psutil.Process) -> str:
    """Return its pid and the beginning of its command line, where that can be read."""
    with suppress(psutil.Error):
        line = visible_line(" ".join(process.cmdline()))
        return f"{process.pid} ({shortened(line, _MOST_COMMAND_CHARACTERS)})"
    return str(process.pid)


def _belongs(process: psutil.Process, home: Path, resolved: Path) -> bool:
    if Path(process.cwd()).is_relative_to(resolved):
        return True
    return process.environ().get(HOME) == str(home)
