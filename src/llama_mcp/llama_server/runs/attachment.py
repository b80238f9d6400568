"""This process's attachment to a run: its lease, its connection, and the keeper that it started.

A llama-mcp process says that it uses a llama-server by holding a lease, which is a locked file. The
kernel drops the lock when the process dies, however it dies; the keeper then stops llama-server
once linger_seconds are over and nobody else holds one.
"""

import os
import secrets
import subprocess
from pathlib import Path

from filelock import FileLock

from llama_mcp.keeper import lease_locks
from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.runs.run import Run, RunFolder, current_run
from llama_mcp.llama_server.runs.run_state import (
    RunState,
    UnreadableState,
    read_run_state,
    read_state,
)
from llama_mcp.llama_server.runs.state_log import StateLog, log_event


class Lease:
    """This process's claim on one run."""

    def __init__(self, run: RunFolder) -> None:
        """Take the lease."""
        self.run_folder = run.folder
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._lock = FileLock(run.leases_dir / name, mode=0o600)
        self._lock.acquire()

    def release(self) -> None:
        """Give it back."""
        self._lock.release()


def count_clients(run: RunFolder) -> int:
    """Return how many living llama-mcp processes use the run."""
    return lease_locks.count_held(str(run.leases_dir))


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
        # The run whose llama-server was proved to be the one that answers this connection.
        self.proved_run: Run | None = None

    async def current_state(self) -> RunState | UnreadableState | None:
        """Return the state of the run that counts; None when there never was one.

        llama-server is not asked.
        """
        self.reap_keepers()
        run = current_run(self._runs_dir)
        if run is None:
            return None
        state = await read_state(run)
        self.state_log.note(state)
        return state

    async def read_state(self, run: Run) -> RunState:
        """Return the state of a run, whether it is the current one or not."""
        state = await read_run_state(run)
        self.state_log.note(state)
        return state

    async def join(self, run: Run) -> bool:
        """Take a lease on the run; return whether it is still there to be used.

        The lease is taken first and the state is read afterwards. The keeper of an unused run
        announces its end first and counts the leases afterwards, so one of the two always sees the
        other.
        """
        if not self.take_lease(run):
            return True
        state = await self.read_state(run)
        if state.is_live:
            log_event(state, "joined")
        return state.is_live

    def take_lease(self, run: Run) -> bool:
        """Take a lease on the run, so that it stays while this process lives.

        Returns:
            Whether it is a new one. On a run that was there before, `join` is needed.
        """
        if self._lease is not None and self._lease.run_folder == run.folder:
            return False
        if self._lease:
            self._lease.release()
        self._lease = Lease(run)
        return True

    def count_others(self, run: RunFolder) -> int:
        """Return how many other llama-mcp processes use the run."""
        is_ours = self._lease is not None and self._lease.run_folder == run.folder
        return count_clients(run) - is_ours

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

    def own_keeper(self, keeper: "subprocess.Popen[bytes]") -> None:
        """Remember a keeper that this process started, to reap it once it has left."""
        self._keepers.append(keeper)

    def reap_keepers(self) -> int:
        """Reap the keepers of this process that have left; return how many have not."""
        self._keepers = [keeper for keeper in self._keepers if keeper.poll() is None]
        return len(self._keepers)
