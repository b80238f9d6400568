"""What the rooms know together: figures with our turns, slots with our sessions."""

from pydantic import BaseModel

from llama_mcp.llama_server.metrics.figures import LlamaServerFigures
from llama_mcp.llama_server.status import ServerState, Slot
from llama_mcp.sessions.records import TurnStatistics


class ServerMetrics(LlamaServerFigures, frozen=True):
    """llama-server's figures, the turns of this process and those in the archive."""

    waiting_turns: int | None = None
    own_turns: list[TurnStatistics] = []


class OpenTurn(BaseModel, frozen=True):
    """A turn of this process that is not over."""

    session_id: str
    turn: int
    place: int | None = None
    """In the queue for a slot, 1 being next; None when it generates, or waits for its model."""


class SlotsReport(BaseModel, frozen=True):
    """What every slot is doing, and for which of our sessions."""

    state: ServerState
    is_sleeping: bool | None = None
    slots: list[Slot] = []
    generating: list[OpenTurn] = []
    waiting: list[OpenTurn] = []
    turns_of_others: int | None = None
    """How many turns of other owners generate or wait; None for none."""
    missing: list[str] = []
