"""This process's attachment to a run: its lease, its connection, and the keeper that it started.

A llama-mcp process says that it uses a llama-server by holding a lease, which is a locked file. The
kernel drops the lock when the process dies, however it dies; the keeper then stops llama-server
once linger_seconds are over and nobody else holds one.
"""

import os
import secrets
import subprocess
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import anyio.to_thread
from filelock import FileLock

from llama_mcp.keeper import lease_locks
from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.errors import StateFolderError
from llama_mcp.llama_server.runs import endings
from llama_mcp.llama_server.runs.creating import state_folder_errors
from llama_mcp.llama_server.runs.members import end_left_by
from llama_mcp.llama_server.runs.run import Run, RunFolder, UnreadableRun, current_run
from llama_mcp.llama_server.runs.run_state import (
    RunState,
    UnreadableState,
    once_unloaded,
    read_run_state,
    read_state,
)
from llama_mcp.llama_server.runs.state_log import StateLog, log_event
from llama_mcp.llama_server.status import ServerState
from llama_mcp.llama_server.use import Use


class Lease:
    """This process's claim on one run."""

    def __init__(self, run: RunFolder) -> None:
        """Take the lease."""
        self.run_folder = run.folder
        # The keeper goes by the pid where the file system no longer tells who holds a lock.
        self.name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._path = run.leases_dir / self.name
        self._lock = FileLock(self._path, mode=0o600, fallback_to_soft=False)
        with state_folder_errors(run.folder):
            self._lock.acquire()

    def is_seen(self) -> bool:
        """Tell whether others can see it; somebody may have deleted the file."""
        return self._path.exists()

    def note_use(self) -> None:
        """Let others see that llama-server is used now: by the time of the lease's file."""
        with suppress(OSError):
            os.utime(self._path)

    def release(self) -> None:
        """Give it back."""
        self._lock.release()


def count_clients(run: RunFolder) -> int:
    """Return how many living llama-mcp processes use the run."""
    return lease_locks.count_held(str(run.leases_dir))


def _use_of(lease: Path) -> Use:
    pid = lease.name.partition("-")[0]
    try:
        seconds = time.time() - lease.stat().st_mtime
    except OSError:
        seconds = None
    return Use(pid=int(pid) if pid.isdecimal() else None, seconds=seconds)


class Attachment:
    """What this process has of one home's runs: the current state, one lease, one connection."""

    def __init__(self, runs_dir: Path) -> None:
        self._runs_dir = runs_dir
        self._lease: Lease | None = None
        self._client: LlamaServerClient | None = None
        self._client_run: Run | None = None
        # More than one for a moment: a keeper leaves after its llama-server.
        self._keepers: list[subprocess.Popen[bytes]] = []
        self.state_log = StateLog()
        # The runs that were searched for what a killed keeper has left.
        self._searched: set[Path] = set()
        # The run whose llama-server was proved to be the one that answers this connection.
        self.proved_run: Run | None = None

    async def current_state(self) -> RunState | UnreadableState | None:
        """Return the state of the run that counts; None when there never was one.

        llama-server is not asked.

        Raises:
            StateFolderError: the folder of runs cannot be read.
        """
        self.reap_keepers()
        with state_folder_errors(self._runs_dir):
            run = current_run(self._runs_dir)
            if run is None:
                return None
            self._renew_lease(run)
            state = await read_state(run)
        if state.state is not ServerState.READY:
            await self._end_what_is_left(run)
        self.state_log.note(state)
        return state

    async def readable_state(self) -> RunState | None:
        """Return the state of the run that counts; None without one that can be read.

        Raises:
            UnreadableRunError: its record cannot be read, and its llama-server lives.
        """
        state = await self.current_state()
        if isinstance(state, UnreadableState):
            if state.is_live:
                raise endings.unreadable_error(state)
            return None
        return state

    async def read_state(self, run: Run) -> RunState:
        """Return the state of a run, whether it is the current one or not."""
        state = await read_run_state(run)
        self.state_log.note(state)
        return state

    async def join(self, run: Run) -> bool:
        """Take a lease on the run and note its use; return whether it is still there to be used.

        Lease and use come first, and the state is read afterwards. The keeper of an unused run
        announces its end first and looks at leases and use afterwards, so one of the two always
        sees the other. One that was to be unloaded is waited for until that is over or taken back.
        """
        run.note_use()
        if not (self.take_lease(run) or run.is_unloaded()):
            return True
        read = partial(self.read_state, run)
        state = await once_unloaded(await read(), read)
        if state.is_live:
            log_event(state, "joined")
        return state.is_live

    def take_lease(self, run: RunFolder) -> bool:
        """Take a lease on the run, so that it stays while this process lives.

        Returns:
            Whether it is a new one. On a run that was there before, `join` is needed.
        """
        held = self._lease
        is_ours = held is not None and held.run_folder == run.folder
        if held is not None and is_ours and held.is_seen():
            held.note_use()
            return False
        self._lease = Lease(run)
        # After the new one: of a run that is ours already, one is held all the time.
        if held is not None:
            held.release()
        return not is_ours

    def _renew_lease(self, run: Run | UnreadableRun) -> None:
        """Take the lease again when somebody has deleted its file."""
        lease = self._lease
        # One that others see is left as it is: its time says when llama-server was last used.
        if lease is not None and lease.run_folder == run.folder and not lease.is_seen():
            with suppress(StateFolderError):
                self.take_lease(run)

    def others(self, run: RunFolder) -> list[Use]:
        """Return which other llama-mcp processes use the run, and when each did so last."""
        own = self._lease.name if self._lease is not None else None
        names = lease_locks.list_held(str(run.leases_dir))
        return [_use_of(run.leases_dir / name) for name in names if name != own]

    async def connect(self, run: Run) -> LlamaServerClient:
        """Return the connection to the run's llama-server; one to another run is closed."""
        if (
            self._client is None
            or self._client_run is None
            or self._client_run.folder != run.folder
        ):
            await self.disconnect()
            self._client = LlamaServerClient(run.launch.url, run.launch.api_key)
            self._client_run, self.proved_run = run, None
        return self._client

    def note_proof(self, run: Run, client: LlamaServerClient) -> None:
        """Remember that the run's own llama-server answers this connection, while it is ours."""
        if client is self._client:
            self.proved_run = run

    async def disconnect(self) -> None:
        """Close the connection: llama-server does not end while one is open."""
        client, self._client = self._client, None
        if client:
            await client.aclose()

    async def release(self) -> None:
        """Close the connection and give back the lease; the keeper does the rest."""
        await self.disconnect()
        lease, self._lease = self._lease, None
        if lease:
            lease.release()
            await self._end_what_is_left(RunFolder(lease.run_folder))

    async def _end_what_is_left(self, run: RunFolder) -> None:
        """End what a killed keeper has left, should its guard have been killed with it."""
        if run.folder not in self._searched and run.has_lost_its_keeper():
            self._searched.add(run.folder)
            # In a thread: it looks at every process of the machine.
            await anyio.to_thread.run_sync(end_left_by, run)

    def own_keeper(self, keeper: "subprocess.Popen[bytes]") -> None:
        """Remember a keeper that this process started, to reap it once it has left."""
        self._keepers.append(keeper)

    def reap_keepers(self) -> int:
        """Reap the keepers of this process that have left; return how many have not."""
        self._keepers = [keeper for keeper in self._keepers if keeper.poll() is None]
        return len(self._keepers)
