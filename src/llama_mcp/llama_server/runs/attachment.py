"""This process's attachment to a run: its lease, its connection, and the keeper that it started.

A llama-mcp process says that it uses a llama-server by holding a lease, which is a locked file. The
kernel drops the lock when the process dies, however it dies; the keeper then stops llama-server
once linger_seconds are over and nobody else holds one.
"""

import os
import secrets
import subprocess

from filelock import FileLock

from llama_mcp.keeper import lease_locks
from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.runs.run import Run


class Lease:
    """This process's claim on one run."""

    def __init__(self, run: Run) -> None:
        """Take the lease."""
        self.run_folder = run.folder
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._lock = FileLock(run.leases_dir / name, mode=0o600)
        self._lock.acquire()

    def release(self) -> None:
        """Give it back."""
        self._lock.release()


def count_clients(run: Run) -> int:
    """Return how many living llama-mcp processes use the run."""
    return lease_locks.count_held(str(run.leases_dir))


class Attachment:
    """At most one lease and one connection, both on the same run or on none."""

    def __init__(self) -> None:
        self._lease: Lease | None = None
        self._client: LlamaServerClient | None = None
        self._client_run: Run | None = None
        self._keeper: subprocess.Popen[bytes] | None = None
        # The run whose llama-server was proved to be the one that answers this connection.
        self.proved_run: Run | None = None

    def take(self, run: Run) -> bool:
        """Take a lease on the run, so that it stays while this process lives.

        Returns:
            Whether it is a new one: it may have come too late then, which the keeper announces.
        """
        if self._lease is not None and self._lease.run_folder == run.folder:
            return False
        if self._lease:
            self._lease.release()
        self._lease = Lease(run)
        return True

    def count_others(self, run: Run) -> int:
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

    def keep(self, keeper: "subprocess.Popen[bytes]") -> None:
        """Remember the keeper that this process started, to reap it."""
        self._keeper = keeper

    def reap(self) -> None:
        """Reap the keeper if it has left."""
        if self._keeper:
            self._keeper.poll()
