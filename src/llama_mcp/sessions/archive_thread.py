"""The archive's own thread, on which its work is done: one after the other, in order.

It costs a turn less than a thread of a pool, and its end can be waited for.
"""

import asyncio
import weakref
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, TypeVar

import anyio

T = TypeVar("T")


class _Work(NamedTuple):
    do: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[Any]


# None ends the thread.
_Works = SimpleQueue[_Work | None]


class ArchiveThread:
    """A thread that starts with the first work."""

    def __init__(self) -> None:
        # A free one is taken without a pass of the event loop.
        self._one_at_a_time = anyio.Lock(fast_acquire=True)
        self._thread: Thread | None = None
        self._works: _Works = SimpleQueue()

    async def run(self, work: Callable[[], T]) -> T:
        """Do the work on the thread, and return what it returns or raise what it raises.

        Work whose caller is cancelled before it has begun is not done. What has begun is done, and
        its caller learns what has come of it.
        """
        async with self._one_at_a_time:
            # In a process that was forked there is no thread any more.
            if self._thread is None or not self._thread.is_alive():
                self._start()
            done = self._put(work)
            with anyio.CancelScope(shield=True):
                await done
            return done.result()

    async def end(self, last: Callable[[], None]) -> None:
        """Do the last work and end the thread; nothing is done if there is no thread.

        The next work starts another.
        """
        async with self._one_at_a_time:
            thread, self._thread = self._thread, None
            if thread is None or not thread.is_alive():
                return
            try:
                done = self._put(last)
                with anyio.CancelScope(shield=True):
                    await done
            finally:
                self._works.put(None)
            # Nothing is left to be done, so that this takes no time.
            thread.join()

    def _put(self, work: Callable[[], T]) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._works.put(_Work(work, loop, done))
        return done

    def _start(self) -> None:
        self._works = SimpleQueue()
        # A daemon: a disk that hangs must not keep the process.
        self._thread = Thread(
            target=_work_until_none, args=(self._works,), name="archive", daemon=True
        )
        self._thread.start()
        # For archives that nobody closes.
        weakref.finalize(self, self._works.put, None)


def _work_until_none(works: _Works) -> None:
    while _is_done(works.get()):
        pass


# A function of its own, so that nothing is held of work that is done while the thread waits.
def _is_done(work: _Work | None) -> bool:
    if work is None:
        return False
    try:
        result, error = work.do(), None
    except BaseException as raised:
        result, error = None, raised
    # The event loop may be closed.
    with suppress(RuntimeError):
        work.loop.call_soon_threadsafe(_settle, work.done, result, error)
    return True


def _settle(done: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)
