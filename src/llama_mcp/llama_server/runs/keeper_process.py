"""The keeper as a process: started, asked to stop llama-server, and cleaned up after."""

import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import anyio

from llama_mcp.keeper import identity, spawning
from llama_mcp.llama_server.errors import StartFailedError, StopFailedError
from llama_mcp.llama_server.runs.records import KeeperState
from llama_mcp.llama_server.runs.run import RunFolder
from llama_mcp.llama_server.runs.run_state import KEEPER_START_SECONDS
from llama_mcp.settings import inherited_environment

POLL_SECONDS = 0.01
# The keeper's own ladder ends with SIGKILL after 1.6 s; the rest is for a busy machine.
STOP_TIMEOUT_SECONDS = 8.0
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
        what = "the process that keeps it did not come up"
        if (was_slow or code == -_SIGKILL) and not tail:
            raise StartFailedError(f"{what}: it was killed or slow", "Start it again.", ())
        advice = "This is a fault of the installation: reinstall llama-mcp."
        raise StartFailedError(what, advice, tail)
    return keeper


def _start(folder: Path, error_log: IO[bytes]) -> "subprocess.Popen[bytes]":
    options: dict[str, Any] = {"start_new_session": True, "stderr": error_log}
    if sys.platform != "win32":
        return _popen(folder, options)
    options["creationflags"] = spawning.CREATION_FLAGS
    try:
        # A client may hold its processes in a job, and end them all with it.
        leaving = {"creationflags": spawning.CREATION_FLAGS | subprocess.CREATE_BREAKAWAY_FROM_JOB}
        return _popen(folder, options | leaving)
    except PermissionError:
        # A job that lets nobody go. The keeper records that it is in one, and status says so.
        return _popen(folder, options)


def _popen(folder: Path, options: dict[str, Any]) -> "subprocess.Popen[bytes]":
    # asyncio's own would keep a thread waiting for each child (CPython 3.11). This one returns as
    # soon as the child has exec'd.
    return subprocess.Popen(
        [*spawning.python_command(), "-m", "llama_mcp.keeper", str(folder)],
        env=spawning.python_environment(inherited_environment()),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        **options,
    )


async def stop(run: RunFolder) -> None:
    """Stop a run's llama-server and see that it and its keeper are gone.

    Raises:
        StopFailedError: the system does not let go of it.
    """
    run.request_stop()
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
    """Kill what a run has left behind, each process only when it is proved to be the one.

    Raises:
        StopFailedError: the system does not let go of it.
    """
    state = run.state()
    if state is None:
        return
    for record in (state.llama_server, state.keeper):
        if record and not _is_over(state):
            identity.signal_same_process(record.pid, record.start, _SIGKILL)
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
