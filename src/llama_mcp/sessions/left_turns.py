"""Records of turns whose process has ended while llama-server goes on with the reply, frozen."""

from dataclasses import dataclass

from llama_mcp.sessions.begun_turns import BegunTurn
from llama_mcp.sessions.records import ArchivedTurn


@dataclass(frozen=True, slots=True)
class StreamPoint:
    """Where in llama-server's stream of a reply what the archive does not have yet begins."""

    stream_id: str
    """Whoever has it can read the stream."""
    run: str
    """The launch of llama-server that generates it."""
    byte: int = 0
    """Of the stream's body; an event begins there."""
    state: str | None = None
    """JSON: what is known of the reply besides its texts; only who wrote it looks inside."""


@dataclass(frozen=True, slots=True)
class LeftTurn:
    """A turn whose process has ended, and whose reply llama-server may have gone on with."""

    session_id: str
    owner: str
    """Whose the session is."""
    point: StreamPoint
    age_seconds: float
    """How long it has been under way."""


@dataclass(frozen=True, slots=True)
class CutOffCall:
    """A call whose caller was gone before it could have a result."""

    session_id: str
    turn: int
    is_cancelled: bool
    """Whether its client has cancelled it; otherwise its process has ended."""


@dataclass(frozen=True, slots=True)
class AdoptedTurn:
    """A turn that this process has taken over from one that has ended."""

    begun: BegunTurn
    archived: ArchivedTurn
    """The message, and what had been saved of the reply."""
    point: StreamPoint
