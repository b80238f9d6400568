"""Leases: a llama-mcp process says that it uses a llama-server by holding a locked file.

The kernel drops the lock when the process dies, however it dies; the keeper then stops
llama-server once linger_seconds are over and nobody else holds one.
"""

import os
import secrets

from filelock import FileLock

from llama_mcp.keeper import lease_locks
from llama_mcp.llama_server.run_record import Run


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
