"""The queue for llama-server's slots: first come, first served, and conversations before jobs.

llama-server has a queue of its own, but sends nothing while a request is in it, not even headers
(llama.cpp: server-context.cpp:4732-4745). A wait could not be told from a hang.
"""

from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

import anyio

from llama_mcp.wording import counted

# How many of the sessions before it a place names.
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the queue a turn waits."""

    number: int | None
    """1 is next; None in llama-server's own queue, which tells no places."""
    behind: tuple[str, ...]
    """The sessions of its owner that come before it: those that generate, then those that wait."""
    others: int = 0
    """How many sessions of other owners come before it, too."""

    def __str__(self) -> str:
        shown = " and ".join(filter(None, (", ".join(self.behind[:SHOWN]), self._left_out())))
        return (
            f"behind {shown}" if self.number is None else f"at place {self.number}, behind {shown}"
        )

    def _left_out(self) -> str:
        left_out = max(0, len(self.behind) - SHOWN)
        if self.others:
            return counted(left_out + self.others, "other")
        return f"{left_out} more" if left_out else ""


# Called with each new place in the queue, and with None once the slot is held.
TellPlace = Callable[[Place | None], None]


class SlotQueues:
    """A queue for each launch of llama-server."""

    def __init__(self) -> None:
        self._queues: dict[str, SlotQueue] = {}

    @property
    def waiting(self) -> int:
        """How many turns of conversations wait."""
        return sum(queue.waiting for queue in self._queues.values())

    def of(self, serving_id: str) -> "SlotQueue":
        """Return the queue for the slots of one launch."""
        if serving_id not in self._queues:
            # Those of launches that are over go.
            self._queues = {name: each for name, each in self._queues.items() if each.is_used}
            self._queues[serving_id] = SlotQueue()
        return self._queues[serving_id]


class SlotQueue:
    """Admits as many turns as there are slots; the rest wait, first come, first served.

    A piece of a job waits until no conversation does.
    """

    def __init__(self) -> None:
        self._inside: list[_Holder] = []
        self._waiting: deque[_Ticket] = deque()
        self._pieces: deque[_Ticket] = deque()

    @property
    def waiting(self) -> int:
        """How many turns of conversations wait."""
        return len(self._waiting)

    @property
    def is_used(self) -> bool:
        """Whether somebody holds a slot or waits for one."""
        return bool(self._inside or self._waiting or self._pieces)

    @asynccontextmanager
    async def slot(
        self,
        session_id: str,
        total: int,
        tell_place: TellPlace,
        *,
        owner: str,
        is_piece: bool = False,
    ) -> AsyncIterator[None]:
        """Wait for a slot and hold it.

        Args:
            session_id: Whose turn it is; a session has one turn at a time.
            total: How many slots there are.
            tell_place: Is told of the wait.
            owner: Whose the session is; places name no session of another.
            is_piece: Whether it is for a piece of a job, of which a session has several at a time.
        """
        queue = self._pieces if is_piece else self._waiting
        holder = _Holder(session_id, owner)
        if len(self._inside) >= total or self._waiting or (is_piece and self._pieces):
            await self._wait(_Ticket(holder, tell_place), queue)
        else:
            self._inside.append(holder)
        tell_place(None)
        try:
            yield
        finally:
            self._leave(holder)

    async def _wait(self, ticket: "_Ticket", queue: "deque[_Ticket]") -> None:
        queue.append(ticket)
        self._tell_places()
        try:
            await ticket.called.wait()
        except BaseException:
            # Called and cancelled at the same moment: the slot goes to the next.
            if ticket.called.is_set():
                self._leave(ticket.holder)
            else:
                queue.remove(ticket)
                self._tell_places()
            raise

    def _leave(self, holder: "_Holder") -> None:
        self._inside.remove(holder)
        if queue := self._waiting or self._pieces:
            ticket = queue.popleft()
            self._inside.append(ticket.holder)
            ticket.called.set()
            self._tell_places()

    def _tell_places(self) -> None:
        before = list(self._inside)
        for number, ticket in enumerate([*self._waiting, *self._pieces], start=1):
            ticket.take_place(_place(number, ticket.holder, before))
            before.append(ticket.holder)


class _Holder(NamedTuple):
    """Who holds a slot, or waits for one."""

    session_id: str
    owner: str


def _place(number: int, holder: _Holder, before: Sequence[_Holder]) -> Place:
    others = dict.fromkeys(each for each in before if each != holder)
    own = tuple(each.session_id for each in others if each.owner == holder.owner)
    return Place(number, own, len(others) - len(own))


class _Ticket:
    def __init__(self, holder: _Holder, tell_place: TellPlace) -> None:
        self.holder = holder
        self.called = anyio.Event()
        self._tell_place = tell_place
        self._place: Place | None = None

    def take_place(self, place: Place) -> None:
        """Tell of the place if it is another one."""
        if place != self._place:
            self._place = place
            self._tell_place(place)
