"""What was told from files and processes, kept until either may have changed.

A turn looks at its run first, and mostly nothing has happened since the last look. The time of a
folder says that files came, went or were renamed into place, which is how records are written; the
files' own times say that one was rewritten where it is. So nothing is hidden but what nobody can
see from outside, such as who holds a lock: that is never kept.

Only Linux tells by a descriptor that a process has ended, so elsewhere nothing is kept.
"""

import os
import select
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from llama_mcp.llama_server.runs.records import ProcessRecord

T = TypeVar("T")

# The clock of file times stands still for some milliseconds (a tick of the kernel), and on some
# file systems for two seconds (FAT). A second change within that time would not be seen.
STANDSTILL_SECONDS = 0.05
COARSE_STANDSTILL_SECONDS = 2.1
_SECOND = 10**9


class Stamps:
    """When some files and folders were changed last, as it is now. To be taken before a look."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._stamps = [(path, _stamp(path)) for path in paths]
        self._taken_at = time.time_ns()

    def are_old(self) -> bool:
        """Tell whether any later change would show in them."""
        changes = (at for _, stamp in self._stamps if stamp is not None for at in stamp[:2])
        return all(self._taken_at - at > standstill_seconds(at) * _SECOND for at in changes)

    def hold(self) -> bool:
        """Tell whether nothing was changed since."""
        return all(_stamp(path) == stamp for path, stamp in self._stamps)


class Watched:
    """Processes that are watched for their end."""

    def __init__(self) -> None:
        self._descriptors: list[int] = []

    def add(self, process: ProcessRecord) -> bool:
        """Watch a process; return whether that is possible, and it is there."""
        if sys.platform != "linux":
            return False
        try:
            self._descriptors.append(os.pidfd_open(process.pid))
        except (OSError, AttributeError):  # gone; a kernel, or a Python, without it
            return False
        # In this order: a pid that is handed out again in between fails the proof.
        return process.is_alive()

    def live(self) -> bool:
        """Tell whether none has ended."""
        if sys.platform != "linux":
            return False
        poll = select.poll()
        for descriptor in self._descriptors:
            poll.register(descriptor, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        """Watch no more."""
        descriptors, self._descriptors = self._descriptors, []
        for descriptor in descriptors:
            with suppress(OSError):
                os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Kept(Generic[T]):
    """Something that was told from files and processes."""

    value: T
    stamps: Stamps
    watched: Watched

    def still_holds(self) -> bool:
        """Tell whether it would be told again."""
        return self.stamps.hold() and self.watched.live()


def _stamp(path: str) -> tuple[int, int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def standstill_seconds(changed_at_ns: int) -> float:
    """Return for how long a later change may have had this time too."""
    is_coarse = changed_at_ns % _SECOND == 0
    return COARSE_STANDSTILL_SECONDS if is_coarse else STANDSTILL_SECONDS
