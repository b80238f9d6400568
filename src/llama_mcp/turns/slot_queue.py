"""The queue for llama-server's slots: owners by turns, and conversations before jobs.

llama-server has a queue of its own, but sends nothing while a request is in it, not even headers
(llama.cpp: server-context.cpp:4732-4745). A wait could not be told from a hang.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

from llama_mcp.turns.fair_order import FairOrder

# How many of the sessions before it a place names.
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the queue a turn waits."""

    number: int | None
    """1 is next; None in llama-server's own queue, which tells no places."""
    behind: tuple[str, ...]
    """The sessions of its owner that come before it: those that generate, then those that wait."""
    of_others: int = 0
    """How many sessions of other owners do; they are not named."""

    def __str__(self) -> str:
        left_out = len(self.behind) - SHOWN
        counts = [f"{left_out} more"] if left_out > 0 else []
        counts += [f"{self.of_others} of others"] if self.of_others else []
        shown = " and ".join(filter(None, (", ".join(self.behind[:SHOWN]), *counts)))
        return (
            f"behind {shown}" if self.number is None else f"at place {self.number}, behind {shown}"
        )


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
    """Admits as many turns as there are slots; the rest wait, as fair_order.py says.

    A piece of a job waits until no conversation does, whosever it is.
    """

    def __init__(self) -> None:
        # Owner and session of each who holds a slot.
        self._inside: list[tuple[str, str]] = []
        # As the last that came was told: an engine elsewhere may be started anew with another.
        self._total = 1
        self._waiting = FairOrder[_Ticket]()
        self._pieces = FairOrder[_Ticket]()

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
            owner: Whose session it is.
            is_piece: Whether it is for a piece of a job, of which a session has several at a time.
        """
        order = self._pieces if is_piece else self._waiting
        holder = (owner, session_id)
        self._total = total
        if len(self._inside) >= total or self._waiting or (is_piece and self._pieces):
            await self._wait(_Ticket(*holder, tell_place), order)
        else:
            order.note_served(owner)
            self._inside.append(holder)
        tell_place(None)
        try:
            yield
        finally:
            self._leave(holder)

    async def _wait(self, ticket: "_Ticket", order: "FairOrder[_Ticket]") -> None:
        order.add(ticket.owner, ticket)
        self._admit()
        try:
            await ticket.called.wait()
        except BaseException:
            # Called and cancelled at the same moment: the slot goes to the next.
            if ticket.called.is_set():
                self._leave(ticket.holder)
            else:
                order.remove(ticket.owner, ticket)
                self._tell_places()
            raise

    def _leave(self, holder: tuple[str, str]) -> None:
        self._inside.remove(holder)
        self._admit()

    def _admit(self) -> None:
        """Let in as many as there is room for, and tell the others where they are."""
        while len(self._inside) < self._total and (order := self._waiting or self._pieces):
            ticket = order.take()
            self._inside.append(ticket.holder)
            ticket.called.set()
        self._tell_places()

    def _tell_places(self) -> None:
        # The sessions that come before, by owner; a dict keeps their order.
        before: dict[str, dict[str, None]] = {}
        for owner, session_id in self._inside:
            before.setdefault(owner, {})[session_id] = None
        count = sum(map(len, before.values()))
        for number, ticket in enumerate([*self._waiting, *self._pieces], start=1):
            own = before.setdefault(ticket.owner, {})
            behind = tuple(each for each in own if each != ticket.session_id)
            ticket.take_place(Place(number, behind, count - len(own)))
            count += ticket.session_id not in own
            own[ticket.session_id] = None


class _Ticket:
    def __init__(self, owner: str, session_id: str, tell_place: TellPlace) -> None:
        self.owner, self.session_id = owner, session_id
        self.called = anyio.Event()
        self._tell_place = tell_place
        self._place: Place | None = None

    @property
    def holder(self) -> tuple[str, str]:
        """Owner and session, as of one that holds a slot."""
        return self.owner, self.session_id

    def take_place(self, place: Place) -> None:
        """Tell of the place if it is another one."""
        if place != self._place:
            self._place = place
            self._tell_place(place)
