"""The lock that serialises starts and stops of every llama-mcp process of one home folder.

Only who holds it can launch and end runs: these two are methods of what `hold` gives.
"""

import errno
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
from filelock import FileLock, Timeout

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.errors import OutlivedStopError, PortTakenError, PortUnusableError
from llama_mcp.llama_server.runs import keeper_process, neighbours, ports
from llama_mcp.llama_server.runs.attachment import Attachment
from llama_mcp.llama_server.runs.creating import (
    create_run,
    make_private_folder,
    state_folder_errors,
)
from llama_mcp.llama_server.runs.records import Launch
from llama_mcp.llama_server.runs.run import Run, UnreadableRun
from llama_mcp.llama_server.runs.run_state import read_state
from llama_mcp.llama_server.runs.state_log import log_event

LOCK_POLL_SECONDS = 0.02
FIRST_PORT_OF_USERS = 1024
# How long a container, for example, may take to follow the command that ran it.
OUTSIDE_SECONDS = 5.0
OUTSIDE_POLL_SECONDS = 0.1


class Exclusive:
    """Launches and ends runs. Valid while the start lock is held."""

    def __init__(self, runs_dir: Path, attachment: Attachment) -> None:
        self._runs_dir = runs_dir
        self._attachment = attachment

    async def launch(self, launch: Launch, why: str = "") -> Run:
        """Spawn a keeper for the launch and take the first lease on it.

        Args:
            launch: what to launch.
            why: for the log, unless somebody just asked for it.

        Raises:
            PortTakenError: somebody else listens on its port.
            PortUnusableError: the system gives nobody the port.
            StartFailedError: the keeper did not come up.
            StateFolderError: the run cannot be recorded.
        """
        if (problem := ports.why_unusable(launch.port)) is not None:
            raise await anyio.to_thread.run_sync(port_error, launch.port, problem, self._runs_dir)
        if launch.saved_kv is not None:
            # Before llama-server starts, which ends if it is not there.
            with state_folder_errors(Path(launch.saved_kv.folder)):
                make_private_folder(Path(launch.saved_kv.folder))
                os.utime(launch.saved_kv.folder)  # by which it counts as used
        run = create_run(self._runs_dir, launch)
        # Before the keeper lives: it stops a llama-server on which nobody holds a lease.
        self._attachment.take_lease(run)
        # If the caller is cancelled now, a keeper that was spawned is known and will be reaped.
        with anyio.CancelScope(shield=True):
            self._attachment.own_keeper(await keeper_process.spawn(run))
            state = await self._attachment.read_state(run)
        if why:
            log_event(state, why)
        return run

    async def end(
        self, run: Run | UnreadableRun, *, comes_back: bool = False, at_once: bool = False
    ) -> None:
        """Stop the run's llama-server, or clear away what a dead keeper has left of it.

        Args:
            run: the run.
            comes_back: it is launched again. Else one that is unloaded is forgotten.
            at_once: without saving prompt caches first.

        Raises:
            StopFailedError: the system does not let go of it.
            OutlivedStopError: no process of the run is left, but its llama-server answers.
        """
        # llama-server does not end while a connection is open, so ours go first.
        await self._attachment.release(run)
        state = await read_state(run)
        if run.is_unloaded() and not comes_back:
            run.request_stop()
        if state.keeper is None:
            run.request_stop()  # its keeper never came, and must not come any more
        elif state.pid is not None or state.has_ended_below:
            await keeper_process.stop(run, at_once=at_once)
        else:
            await keeper_process.end_leftovers(run)
        self._attachment.state_log.note(await read_state(run))
        if isinstance(run, Run):
            await _see_it_gone(run.launch)

    async def end_all(self, runs: Sequence[Run | UnreadableRun], *, at_once: bool) -> None:
        """Stop runs side by side, since each may have much to save; raises as `end` does."""
        failures: list[LlamaMCPError] = []

        async def end(run: Run | UnreadableRun) -> None:
            try:
                await self.end(run, at_once=at_once)
            except LlamaMCPError as error:
                failures.append(error)

        async with anyio.create_task_group() as tasks:
            for run in runs:
                tasks.start_soon(end, run)
        if failures:
            raise failures[0]


async def _see_it_gone(launch: Launch) -> None:
    """Raise OutlivedStopError when a server of this launch, not below its keeper, goes on."""
    if launch.tag is None or ports.is_free(launch.port):
        return
    # Without the key: nobody knows yet who answers, and this endpoint needs none.
    client = LlamaServerClient(launch.url)
    try:
        with anyio.move_on_after(OUTSIDE_SECONDS):
            while await client.names_tag(launch.tag):
                await anyio.sleep(OUTSIDE_POLL_SECONDS)
            return
    finally:
        await client.aclose()
    holder = await anyio.to_thread.run_sync(ports.describe_holder, launch.port)
    raise OutlivedStopError(launch.engine.path, launch.url, holder)


class StartLock:
    """The lock of one home folder."""

    def __init__(self, runs_dir: Path, attachment: Attachment) -> None:
        """Take what the runs of this process are launched with.

        Args:
            runs_dir: where runs are recorded, and the lock lies.
            attachment: holds the lease on what is launched.
        """
        self._runs_dir = runs_dir
        self._attachment = attachment

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[Exclusive]:
        """Hold the lock; the kernel drops it when the process dies.

        It is polled, because a blocking wait would need a thread that cannot be cancelled.

        Raises:
            StateFolderError: the folder of runs cannot be used.
        """
        lock = _lock_in(self._runs_dir)
        while not _try(lock, self._runs_dir):
            await anyio.sleep(LOCK_POLL_SECONDS)
        try:
            yield Exclusive(self._runs_dir, self._attachment)
        finally:
            lock.release()


def port_error(port: int, problem: OSError, runs_dir: Path) -> LlamaMCPError:
    """Return the error for a port that cannot be bound, by what the system said."""
    # Windows says EACCES, too, of a port that somebody holds for himself.
    if problem.errno == errno.EADDRINUSE or (sys.platform == "win32" and ports.is_held(port)):
        elsewhere = neighbours.describe_holder(runs_dir, port)
        return PortTakenError(port, elsewhere or ports.describe_holder(port))
    reason = problem.strerror or str(problem)
    if problem.errno in (errno.EACCES, errno.EPERM):
        if port < FIRST_PORT_OF_USERS:
            reason = f"it needs privileges that this user does not have ({reason})"
            return PortUnusableError(port, reason, "Pass a port above 1023, or port=0.")
        reason = f"the system forbids it ({reason}), as sandboxes and reserved ranges do"
        return PortUnusableError(port, reason, "Pass another port, or port=0 for any free one.")
    if problem.errno == errno.EADDRNOTAVAIL:
        reason = f"this machine or container has no address 127.0.0.1 ({reason})"
        return PortUnusableError(
            port, reason, "Bring the loopback interface up (ip link set lo up)."
        )
    return PortUnusableError(port, reason, "Pass another port, or port=0 for any free one.")


def _lock_in(folder: Path) -> FileLock:
    with state_folder_errors(folder):
        make_private_folder(folder)
    # Without the kernel's locks a process that is killed would leave its lock for ever.
    return FileLock(folder / "start.lock", mode=0o600, fallback_to_soft=False)


def _try(lock: FileLock, folder: Path) -> bool:
    with state_folder_errors(folder):
        try:
            lock.acquire(blocking=False)
        except Timeout:  # an OSError too, but somebody else's lock is no fault
            return False
    return True
