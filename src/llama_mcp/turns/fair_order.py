"""Who is next among owners who wait: each owner in its turn, within one first come, first served.

Whose last turn began longest ago is next; of several who had none, who waits longest. So between
two of an owner every other owner has one at most, however many it asks for. Pure.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(slots=True)
class FairOrder(Generic[Item]):
    """What waits, by owner, in the order in which it is taken."""

    _lanes: dict[str, deque[Item]] = field(default_factory=dict)
    _served: dict[str, int] = field(default_factory=dict)
    """When each owner was served last; a count that rises."""
    _count: int = 0

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    def __iter__(self) -> Iterator[Item]:
        """Give what waits in the order in which it is taken if nothing else comes."""
        ahead = FairOrder[Item](
            {owner: deque(lane) for owner, lane in self._lanes.items()},
            dict(self._served),
            self._count,
        )
        while ahead._lanes:
            yield ahead.take()

    def add(self, owner: str, item: Item) -> None:
        """Let something of an owner wait, behind what the owner has waiting."""
        self._lanes.setdefault(owner, deque()).append(item)

    def remove(self, owner: str, item: Item) -> None:
        """Let something wait no more."""
        self._lanes[owner].remove(item)
        self._drop_if_empty(owner)

    def take(self) -> Item:
        """Return what is next, which waits no more; there must be something."""
        owner = min(self._lanes, key=lambda each: self._served.get(each, 0))
        item = self._lanes[owner].popleft()
        self._drop_if_empty(owner)
        self.note_served(owner)
        return item

    def note_served(self, owner: str) -> None:
        """Count the owner as the one that was served last."""
        self._count += 1
        self._served[owner] = self._count

    def _drop_if_empty(self, owner: str) -> None:
        if not self._lanes[owner]:
            del self._lanes[owner]
