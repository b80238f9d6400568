"""What the kernel sees opened, made, changed or removed in folders; Linux tells by inotify."""

import ctypes
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# inotify(7): every event but a look at attributes.
_OPEN, _ACCESS, _MODIFY = 0x20, 0x01, 0x02
_CREATE, _DELETE, _MOVED = 0x100, 0x200, 0xC0
_ALL = _OPEN | _ACCESS | _MODIFY | _CREATE | _DELETE | _MOVED
_HEAD = struct.Struct("iIII")

needs_inotify = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has inotify")


class Seen:
    """What happened in the folders that are watched."""

    def __init__(self, descriptor: int, but: str) -> None:
        self._descriptor = descriptor
        self._but = but

    def names(self) -> list[str]:
        """Return the names to which something happened since the last call."""
        try:
            events = os.read(self._descriptor, 1 << 20)
        except BlockingIOError:
            return []
        names, position = [], 0
        while position < len(events):
            *_, length = _HEAD.unpack_from(events, position)
            position += _HEAD.size + length
            names.append(
                events[position - length : position].rstrip(b"\0").decode("utf-8", "replace")
            )
        return [name for name in names if name != self._but]


@contextmanager
def watching(*folders: Path, but: str) -> Iterator[Seen]:
    """Watch folders, not what lies below them; one name in them may be opened."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        for folder in folders:
            assert libc.inotify_add_watch(descriptor, os.fsencode(folder), _ALL) > 0
        yield Seen(descriptor, but)
    finally:
        os.close(descriptor)
