"""The queue for llama-server's slots: first come, first served.

llama-server has a queue of its own, but sends nothing while a request is in it, not even headers
(llama.cpp: server-context.cpp:4732-4745). A wait could not be told from a hang.
"""

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio


class SlotQueue:
    """Admits as many turns as there are slots; the rest wait, first come, first served."""

    def __init__(self) -> None:
        self._inside = 0
        self._waiting: deque[_Ticket] = deque()

    @property
    def waiting(self) -> int:
        """How many turns wait."""
        return len(self._waiting)

    @asynccontextmanager
    async def slot(self, total: int, tell_place: Callable[[int], None]) -> AsyncIterator[None]:
        """Wait for a slot and hold it.

        Args:
            total: How many slots there are.
            tell_place: Called with each new place in the queue, 1 being next, and with 0 once the
                slot is held.
        """
        if self._inside >= total or self._waiting:
            await self._wait(tell_place)
        else:
            self._inside += 1
        tell_place(0)
        try:
            yield
        finally:
            self._leave()

    async def _wait(self, tell_place: Callable[[int], None]) -> None:
        ticket = _Ticket(tell_place)
        self._waiting.append(ticket)
        tell_place(len(self._waiting))
        try:
            await ticket.called.wait()
        except BaseException:
            # Called and cancelled at the same moment: the slot goes to the next.
            if ticket.called.is_set():
                self._leave()
            else:
                self._waiting.remove(ticket)
                self._tell_places()
            raise

    def _leave(self) -> None:
        if not self._waiting:
            self._inside -= 1
            return
        self._waiting.popleft().called.set()
        self._tell_places()

    def _tell_places(self) -> None:
        for place, ticket in enumerate(self._waiting, start=1):
            ticket.tell_place(place)


class _Ticket:
    def __init__(self, tell_place: Callable[[int], None]) -> None:
        self.called = anyio.Event()
        self.tell_place = tell_place
