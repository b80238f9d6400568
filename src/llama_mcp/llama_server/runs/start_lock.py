"""The lock that serialises starts and stops of every llama-mcp process of one home folder."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from filelock import FileLock, Timeout

from llama_mcp.llama_server.runs.run import make_private_folder, state_folder_errors

LOCK_POLL_SECONDS = 0.02


@asynccontextmanager
async def exclusively(runs_dir: Path) -> AsyncIterator[None]:
    """Hold the lock; the kernel drops it when the process dies.

    It is polled, because a blocking wait would need a thread that cannot be cancelled.
    """
    lock = _lock_in(runs_dir)
    while not _try(lock, runs_dir):
        await anyio.sleep(LOCK_POLL_SECONDS)
    try:
        yield
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
