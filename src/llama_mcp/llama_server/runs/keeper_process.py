"""The keeper as a process: started, asked to stop llama-server, and cleaned up after."""

import subprocess
import sys

import anyio

from llama_mcp.keeper import identity
from llama_mcp.llama_server.errors import StartFailedError, StopFailedError
from llama_mcp.llama_server.runs.records import KeeperState
from llama_mcp.llama_server.runs.run import RunFolder

POLL_SECONDS = 0.01
# Importing Python on a machine under load; the keeper itself is quick.
START_TIMEOUT_SECONDS = 30.0
# The keeper's own ladder ends with SIGKILL after 1.6 s; the rest is for a busy machine.
STOP_TIMEOUT_SECONDS = 8.0
KILL_TIMEOUT_SECONDS = 5.0
# Windows has no SIGKILL; there os.kill ends the process whatever the number is.
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
        # asyncio's own would keep a thread waiting for each child (CPython 3.11).
        keeper = subprocess.Popen(  # noqa: ASYNC220 - returns as soon as the child has exec'd
            [sys.executable, "-P", "-m", "llama_mcp.keeper", str(run.folder)],
            cwd=run.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )
    with anyio.move_on_after(START_TIMEOUT_SECONDS):
        while run.state() is None and keeper.poll() is None:
            await anyio.sleep(POLL_SECONDS)
    if run.state() is None:
        run.request_stop()  # a keeper that is only slow must not begin now
        keeper.kill()
        code = keeper.wait()
        tail = error_log.read_text(errors="replace").splitlines()[-3:]
        what = "the process that keeps it did not come up"
        if code == -_SIGKILL and not tail:
            raise StartFailedError(f"{what}: it was killed or slow", "Start it again.", ())
        advice = "This is a fault of the installation: reinstall llama-mcp."
        raise StartFailedError(what, advice, tail)
    return keeper


async def stop(run: RunFolder) -> None:
    """Stop a run's llama-server and see that it and its keeper are gone.

    Raises:
        StopFailedError: the system does not let go of it.
    """
    run.request_stop()
    state = run.state()
    if state is not None:
        # Wakes the keeper at once; without it the file is seen within half a second.
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
