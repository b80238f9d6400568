"""How long a call waits for another program that holds the archive.

SQLite has no queue, so a file that is locked is tried again and again, a moment each time; between
two attempts other calls have their turn. How long in all is up to the caller.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import anyio
import anyio.lowlevel

from llama_mcp.sessions.errors import ArchiveLockedError

T = TypeVar("T")

# Our own writes take milliseconds, but on a loaded machine one of two busy writers waited longer
# than 5 s.
DEFAULT_SECONDS = 10.0
# A reply that is complete is not given up so soon: afterwards it is only in our memory.
ENDING_SECONDS = 20.0
# Who does not want to wait at all still waits for a busy writer.
LEAST_SECONDS = 1.0
# A partial reply is saved again a second later.
PARTIAL_SECONDS = 2.0
# Clients kill a server 2 s after they have closed its stdin.
LAST_SECONDS = 0.4

_seconds = ContextVar("seconds", default=DEFAULT_SECONDS)


@contextmanager
def waiting_at_most(seconds: float, longest: float = DEFAULT_SECONDS) -> Iterator[None]:
    """Let each call of the archive inside wait at most so long, and at most the longest time."""
    token = _seconds.set(max(LEAST_SECONDS, min(seconds, longest)))
    try:
        yield
    finally:
        _seconds.reset(token)


async def until_unlocked(attempt: Callable[[], Awaitable[T]], is_ending: Callable[[], bool]) -> T:
    """Return what the attempt returns; one that finds the archive locked is made again.

    Args:
        attempt: waits for a lock no longer than a moment.
        is_ending: tells whether the process ends, and everything must be over soon.

    Raises:
        ArchiveLockedError: It was locked all the time.
    """
    begun = anyio.current_time()
    while True:
        try:
            return await attempt()
        except ArchiveLockedError:
            seconds = LAST_SECONDS if is_ending() else _seconds.get()
            if anyio.current_time() - begun >= seconds:
                raise
            await anyio.lowlevel.checkpoint()
