"""Who uses a llama-server, as it is told before one is stopped and in its status."""

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from llama_mcp.wording import lasting


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Who uses a llama-server: a session that generates a reply, or an idle client."""

    session: str | None = None
    """The session's id and title, empty where it may not be named; None for a client that generates
    nothing."""
    pid: int | None = None
    """The llama-mcp process; None when it is not known."""
    seconds: float | None = None
    """How long the reply has been under way, or since when the client has asked for nothing."""
    is_waiting: bool = False
    """The session waits for a slot, and generates nothing yet."""
    is_loading: bool = False
    """It waits for the model to load."""
    run: str | None = None
    """The launch of llama-server that serves the session; None when it is not known."""
    is_left: bool = False
    """The process that asked for the reply has ended; llama-server goes on with it."""

    def may_use(self, run: str) -> bool:
        """Tell whether the reply is, or may be, one of that launch."""
        return self.run in (None, run)

    def __str__(self) -> str:
        whose = f"llama-mcp process {self.pid}" if self.pid else "a llama-mcp process"
        lasted = "" if self.seconds is None else lasting(self.seconds)
        if self.session is None:
            return f"{whose}{lasted and f', which last asked for it {lasted} ago'}"
        session = f"session {self.session}" if self.session else "a session"
        if self.is_left:
            for_so_long = lasted and f", for {lasted}"
            return f"{session} gets a reply whose llama-mcp has ended{for_so_long}"
        whose = "this llama-mcp" if self.pid == os.getpid() else whose
        what = "waits for a slot" if self.is_waiting else "generates a reply"
        what = "waits for the model to load" if self.is_loading else what
        return f"{session} {what} in {whose}{lasted and f', for {lasted}'}"


# Returns the turns that are not over, of all processes.
TurnsUnderway = Callable[[], Awaitable[Sequence[Use]]]
