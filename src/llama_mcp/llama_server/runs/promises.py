"""Runs that calls of this process have just got, and whose use nothing else shows yet.

A call checks files and a schema before its turn is in the archive; a ranking never is. Until then a
promise keeps the run from being stopped for another model.
"""

import time
from dataclasses import dataclass, field

from llama_mcp.llama_server.runs.run import RunFolder

# One that nobody keeps any more is over by itself after this time: its call came to nothing.
PROMISE_SECONDS = 10.0


class Promises:
    """The promises of one process."""

    def __init__(self) -> None:
        self._made: list[Promise] = []

    def make(self, run: RunFolder) -> "Promise":
        """Make one."""
        self._made = [promise for promise in self._made if promise.is_made]
        self._made.append(promise := Promise(run.name))
        return promise

    def is_made(self, run: RunFolder) -> bool:
        """Tell whether there is one of that run."""
        return any(promise.run == run.name and promise.is_made for promise in self._made)


@dataclass(slots=True)
class Promise:
    """That a run stays for one call."""

    run: str
    """The name of its folder."""
    _until: float = field(default_factory=lambda: time.monotonic() + PROMISE_SECONDS)

    @property
    def is_made(self) -> bool:
        """Whether it was neither taken back nor forgotten."""
        return time.monotonic() < self._until

    def keep(self, seconds: float) -> None:
        """Make it again, for so long from now."""
        self._until = time.monotonic() + seconds

    def take_back(self) -> None:
        """Say that the call is over, or that its turn shows by itself."""
        self._until = 0.0
