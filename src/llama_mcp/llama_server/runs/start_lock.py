"""The lock that serialises starts and stops of every llama-mcp process of one home folder.

Only who holds it can launch and end runs: these two are methods of what `hold` gives.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
from filelock import FileLock, Timeout

from llama_mcp.llama_server.errors import PortTakenError
from llama_mcp.llama_server.runs import keeper_process, ports
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
            StartFailedError: the keeper did not come up.
            StateFolderError: the run cannot be recorded.
        """
        if not ports.is_free(launch.port):
            holder = await anyio.to_thread.run_sync(ports.describe_holder, launch.port)
            raise PortTakenError(launch.port, holder)
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

    async def end(self, run: Run | UnreadableRun) -> None:
        """Stop the run's llama-server, or clear away what a dead keeper has left of it.

        Raises:
            StopFailedError: the system does not let go of it.
        """
        # llama-server does not end while a connection is open, so ours go first.
        await self._attachment.release()
        state = await read_state(run)
        if state.keeper is None:
            run.request_stop()  # its keeper never came, and must not come any more
        elif state.pid is not None:
            await keeper_process.stop(run)
        else:
            await keeper_process.end_leftovers(run)
        self._attachment.state_log.note(await read_state(run))


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


def _lock_in(folder: Path) -> FileLock:
    with state_folder_errors(folder):
        make_private_folder(folder)
    return FileLock(folder / "start.lock", mode=0o600)


def _try(lock: FileLock, folder: Path) -> bool:
    with state_folder_errors(folder):
        try:
            lock.acquire(blocking=False)
        except Timeout:  # an OSError too, but somebody else's lock is no fault
            return False
    return True
