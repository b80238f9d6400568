"""Whether a lease is held: the same kernel lock that filelock takes, only tried, never kept.

filelock itself would double the keeper's memory, and trying a lock is all that the keeper does.
"""

import contextlib
import errno
import os
import sys

from llama_mcp.keeper import identity

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

# How the system says that somebody else holds a lock; anything else says that it cannot tell.
_CONTENTION = (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK)


class Leases:
    """The leases of a folder, looked at again and again; kept open, whatever is deleted.

    A holder whose file was deleted by somebody else still holds its lock, and only who has the file
    open can see that. Windows deletes no file that is open.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._open: dict[tuple[int, int], tuple[int, str]] = {}

    def count_held(self) -> int:
        """Count the leases whose holders live; those of the dead are removed."""
        if sys.platform == "win32":
            return count_held(self._folder)
        for path in paths_in(self._folder):
            self._take_notice(path)
        for key, (fd, path) in list(self._open.items()):
            if not _is_locked(fd, path):
                _unlink_if_same(path, fd)
                os.close(fd)
                del self._open[key]
        return len(self._open)

    def _take_notice(self, path: str) -> None:
        with contextlib.suppress(OSError):
            fd = os.open(path, os.O_RDWR)
            found = os.fstat(fd)
            if self._open.setdefault((found.st_dev, found.st_ino), (fd, path))[0] != fd:
                os.close(fd)


def count_held(folder: str) -> int:
    """Count the leases in folder whose holders live; those of the dead are removed."""
    return len(list_held(folder))


def list_held(folder: str) -> list[str]:
    """Return the names of the leases in folder whose holders live; those of the dead go."""
    return [os.path.basename(path) for path in paths_in(folder) if _is_held(path)]


def paths_in(folder: str) -> list[str]:
    """Return the paths of the leases in folder."""
    try:
        return [os.path.join(folder, name) for name in os.listdir(folder)]
    except OSError:
        return []


def hold(path: str) -> int | None:
    """Lock the file, which is made if it is missing, until this process ends.

    Returns:
        The descriptor that holds it; None where it cannot be locked.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return None
    if _try_lock(fd) is None:
        return fd
    os.close(fd)
    return None


def is_locked(path: str) -> bool:
    """Tell whether somebody holds the lock on a file; nothing is removed."""
    try:
        fd = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        return _is_locked(fd, path)
    finally:
        os.close(fd)


def _is_held(path: str) -> bool:
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    except OSError:
        # Windows refuses to open what another process is just creating or deleting.
        return True
    try:
        if _is_locked(fd, path):
            return True
        if sys.platform != "win32":
            _unlink(path)
    finally:
        os.close(fd)
    if sys.platform == "win32":
        _unlink(path)
    return False


def _is_locked(fd: int, path: str) -> bool:
    """Tell whether another process holds the lock; it is ours, until fd is closed, if none does.

    Where the file system has no locks (any more), the pid counts that is in the lease's name.
    """
    error = _try_lock(fd)
    if error is None or error.errno in _CONTENTION:
        return error is not None
    pid = os.path.basename(path).partition("-")[0]
    return not pid.isdigit() or identity.process_start(int(pid)) is not None


def _unlink(path: str) -> None:
    """Remove a lease whose holder is dead, so that no holder can lose one that it has just taken.

    POSIX: it is unlinked while we hold its lock. A holder that opened the file just before sees
    that its inode has no name any more, and takes the lease again under a new one (filelock does
    so). Windows does not unlink what anybody has open, so we close it first; a holder that opens it
    in between keeps it.
    """
    with contextlib.suppress(OSError):
        os.unlink(path)


def _unlink_if_same(path: str, fd: int) -> None:
    with contextlib.suppress(OSError):
        if os.path.samestat(os.stat(path), os.fstat(fd)):
            os.unlink(path)


def _try_lock(fd: int) -> OSError | None:
    """Try to take the lock; return why it was not given, None when it was."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error
    return None
