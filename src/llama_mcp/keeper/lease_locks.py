"""Whether a lease is held: the same kernel lock that filelock takes, only tried, never kept.

filelock itself would double the keeper's memory, and trying a lock is all that the keeper does.
"""

import contextlib
import os
import sys

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


def count_held(folder: str) -> int:
    """Count the leases in folder whose holders live; those of the dead are removed."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return 0
    return sum(_is_held(os.path.join(folder, name)) for name in names)


def _is_held(path: str) -> bool:
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    except OSError:
        # Windows refuses to open what another process is just creating or deleting.
        return True
    try:
        if not _try_lock(fd):
            return True
        if sys.platform != "win32":
            _unlink(path)
    finally:
        os.close(fd)
    if sys.platform == "win32":
        _unlink(path)
    return False


def _unlink(path: str) -> None:
    """Remove a lease whose holder is dead, so that no holder can lose one that it has just taken.

    POSIX: it is unlinked while we hold its lock. A holder that opened the file just before sees
    that its inode has no name any more, and takes the lease again under a new one (filelock does
    so). Windows does not unlink what anybody has open, so we close it first; a holder that opens it
    in between keeps it.
    """
    with contextlib.suppress(OSError):
        os.unlink(path)


def _try_lock(fd: int) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
