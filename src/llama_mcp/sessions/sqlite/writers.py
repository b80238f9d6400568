"""Which of the processes that write are alive.

A turn in progress names its writer, and every writer holds a lock on a file of that name. The
kernel drops the lock when the process dies, however it dies. If the file can be locked, or does not
exist, its writer will not finish the turn. Age proves nothing: a reply may take an hour.
"""

import os
import secrets
import sys
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

if sys.platform != "win32":
    import fcntl

# Besides its owner, only a process that probes the file holds it, and for microseconds.
_OWN_LOCK_TIMEOUT_SECONDS = 5


class Writers:
    """The writers of one archive, and this process among them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own_id: str | None = None
        self._own_lock: FileLock | None = None

    def own_id(self) -> str:
        """Return this writer's id; its lock is held from the first call on."""
        if self._own_id is None:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._forget_the_dead()
            # Random, because pids come back, and containers that share a folder share pids.
            writer_id = secrets.token_hex(8)
            lock = _lock(self._path(writer_id))
            lock.acquire(timeout=_OWN_LOCK_TIMEOUT_SECONDS)
            self._own_id, self._own_lock = writer_id, lock
        return self._own_id

    def is_alive(self, writer_id: str) -> bool:
        """Return whether the writer can still finish its turns."""
        if writer_id == self._own_id:
            return True
        path = self._path(writer_id)
        if not path.exists():
            return False
        lock = _lock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        except OSError:
            return _is_locked(path)
        # Removed while it is locked, so that no other process locks it in between.
        with suppress(OSError):
            path.unlink(missing_ok=True)
        lock.release()
        return False

    def close(self) -> None:
        """Release the lock; turns that this writer left unfinished count as interrupted."""
        if self._own_lock is not None and self._own_id is not None:
            with suppress(OSError):
                self._path(self._own_id).unlink(missing_ok=True)
            self._own_lock.release()
        self._own_id = self._own_lock = None

    def _forget_the_dead(self) -> None:
        for path in self._folder.glob("*.lock"):
            self.is_alive(path.stem)

    def _path(self, writer_id: str) -> Path:
        return self._folder / f"{writer_id}.lock"


def _lock(path: Path) -> FileLock:
    # Not per thread: worker threads come and go.
    return FileLock(path, mode=0o600, thread_local=False)


def _is_locked(path: Path) -> bool:
    """Return whether somebody holds a lock on a file that cannot be written; true if not known.

    Windows locks only what is open for writing; there nothing is known.
    """
    if sys.platform != "win32":
        try:
            fd = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return False  # its writer has just closed
        except OSError:
            return True
        try:
            # Shared: others that try it meanwhile hold nothing, and NFS takes it from a reader.
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(fd)
        return False
    return True
