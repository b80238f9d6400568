"""The keeper as a process: started, asked to stop llama-server, and cleaned up after."""

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import anyio
import anyio.to_thread

from llama_mcp.keeper import identity, spawning
from llama_mcp.llama_server.diagnosis.windows_endings import describe_exit_code
from llama_mcp.llama_server.errors import StartFailedError, StopFailedError
from llama_mcp.llama_server.runs import members
from llama_mcp.llama_server.runs.records import KeeperState
from llama_mcp.llama_server.runs.run import RunFolder
from llama_mcp.llama_server.runs.run_state import KEEPER_START_SECONDS
from llama_mcp.settings import inherited_environment

POLL_SECONDS = 0.01
# The keeper saves prompt caches for up to 5 s, its ladder ends with SIGKILL after 1.6 s, and then
# it proves for up to 3 s what was saved; the rest is for a busy machine.
STOP_TIMEOUT_SECONDS = 16.0
KILL_TIMEOUT_SECONDS = 5.0
# Python on Windows has no name for it.
_SIGKILL = 9
_SIGTERM = 15


async def spawn(run: RunFolder) -> "subprocess.Popen[bytes]":
    """Start the keeper of a run and wait until it has spawned llama-server or failed to.

    The process must be kept by the caller and polled now and then, so that it is reaped.

    Raises:
        StartFailedError: the keeper itself did not come up.
    """
    if identity.process_start(os.getpid()) is None:
        raise StartFailedError(
            "the system does not tell when a process started, so nobody could tell it from another",
            "Let llama-mcp read /proc (on Linux: /proc/PID/stat).",
            (),
        )
    error_log = run.folder / "keeper.log"
    with error_log.open("wb") as log:
        keeper = _start(run.folder, log)
    with anyio.move_on_after(KEEPER_START_SECONDS):
        while run.state() is None and keeper.poll() is None:
            await anyio.sleep(POLL_SECONDS)
    if run.state() is None:
        was_slow = keeper.poll() is None
        run.request_stop()  # a keeper that is only slow must not begin now
        keeper.kill()
        code = keeper.wait()
        tail = error_log.read_text(errors="replace").splitlines()[-3:]
        raise _did_not_come_up(code, was_slow, tail)
    return keeper


def _did_not_come_up(code: int, was_slow: bool, log_lines: list[str]) -> StartFailedError:
    """Return the error for a keeper that recorded nothing, as far as its ending tells why."""
    if was_slow:
        how, advice = f"recorded nothing for {KEEPER_START_SECONDS:g} s", "Start it again."
    elif code == -_SIGKILL:
        how, advice = "was killed (SIGKILL) before it began", "Start it again."
    else:
        how = f"ended with exit code {describe_exit_code(code)} before it began"
        advice = "What it printed says why; a module that is missing needs a new installation."
    return StartFailedError(f"the process that keeps it {how}", advice, log_lines)


def _start(folder: Path, error_log: IO[bytes]) -> "subprocess.Popen[bytes]":
    inherited = inherited_environment()
    return spawning.start_apart(
        [*spawning.program_command("llama_mcp.keeper"), str(folder)],
        env=spawning.python_environment(inherited, inherited),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=error_log,
    )


async def stop(run: RunFolder, *, at_once: bool = False) -> None:
    """Stop a run's llama-server and see that it and its keeper are gone.

    Args:
        run: the run.
        at_once: without saving prompt caches first.

    Raises:
        StopFailedError: the system does not let go of it.
    """
    run.request_stop(at_once=at_once)
    state = run.state()
    if state is not None and sys.platform != "win32":
        # Wakes the keeper at once; without it the file is seen within half a second. Windows has no
        # signal that would not end the keeper, so there it looks more often.
        identity.signal_same_process(state.keeper.pid, state.keeper.start, _SIGTERM)
    with anyio.move_on_after(STOP_TIMEOUT_SECONDS):
        while not _is_over(run.state()):
            await anyio.sleep(POLL_SECONDS)
    await end_leftovers(run)


async def end_leftovers(run: RunFolder) -> None:
    """Kill what a run has left behind, each process only when it is proved to be the run's.

    Raises:
        StopFailedError: the system does not let go of it.
    """
    state = run.state()
    if state is None:
        return
    if not _is_over(state):
        # The keeper first: its guard then ends the tree.
        for record in (state.keeper, state.llama_server):
            if record:
                identity.signal_same_process(record.pid, record.start, _SIGKILL)
    if run.has_lost_its_keeper():
        await anyio.to_thread.run_sync(members.end_left_by, run)
    with anyio.move_on_after(KILL_TIMEOUT_SECONDS):
        while state.llama_server and state.llama_server.is_alive():
            await anyio.sleep(POLL_SECONDS)
    if state.llama_server and state.llama_server.is_alive():
        raise StopFailedError(state.llama_server.pid)


def _is_over(state: KeeperState | None) -> bool:
    if state is None or state.exit or state.spawn_error:
        return True
    return not state.keeper.is_alive() and not (
        state.llama_server and state.llama_server.is_alive()
    )
