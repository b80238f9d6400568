"""Leases: how a llama-mcp process says that it uses a llama-server.

A lease is a locked file. The kernel drops the lock when the process dies, however it dies; the
keeper then stops llama-server once linger_seconds are over and nobody else holds one.
"""

import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

from llama_mcp.keeper import lease_locks
from llama_mcp.llama_server.runs.creating import state_folder_errors
from llama_mcp.llama_server.runs.run import RunFolder
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


def list_uses(run: RunFolder, but: "Lease | None") -> list[Use]:
    """Return which llama-mcp processes use the run, and when each did so last.

    Args:
        run: the run.
        but: a lease that is left out.
    """
    names = lease_locks.list_held(str(run.leases_dir))
    own = but.name if but is not None else None
    return [_use_of(run.leases_dir / name) for name in names if name != own]


def _use_of(lease: Path) -> Use:
    pid = lease.name.partition("-")[0]
    try:
        seconds = time.time() - lease.stat().st_mtime
    except OSError:
        seconds = None
    return Use(pid=int(pid) if pid.isdecimal() else None, seconds=seconds)
