"""A run that may be stopped for another model: newcomers wait until that is decided.

Who stops it takes a lock of the run, and then looks who uses it. A newcomer says first that it
does, and then looks at the lock. So one of the two always sees the other; and the kernel lets go of
the lock when its holder dies.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from filelock import FileLock, Timeout

from llama_mcp.keeper import lease_locks
from llama_mcp.llama_server.runs.creating import state_folder_errors
from llama_mcp.llama_server.runs.run import RunFolder

LEAVING = "leaving.lock"
POLL_SECONDS = 0.02


@asynccontextmanager
async def leaving(run: RunFolder) -> AsyncIterator[None]:
    """Hold newcomers off. For who holds the start lock.

    Raises:
        StateFolderError: the lock cannot be taken.
    """
    lock = FileLock(run.folder / LEAVING, mode=0o600, fallback_to_soft=False)
    while not _try(lock, run):  # a newcomer has it while it looks
        await anyio.sleep(POLL_SECONDS)
    try:
        yield
    finally:
        lock.release()


def is_leaving(run: RunFolder) -> bool:
    """Tell whether somebody is about to stop the run."""
    return lease_locks.is_locked(f"{run.folder}{os.sep}{LEAVING}")


async def once_decided(run: RunFolder) -> bool:
    """Return once nobody is about to stop the run; and whether that had to be waited for."""
    has_waited = False
    while is_leaving(run):
        has_waited = True
        await anyio.sleep(POLL_SECONDS)
    return has_waited


def _try(lock: FileLock, run: RunFolder) -> bool:
    with state_folder_errors(run.folder):
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return False
    return True
