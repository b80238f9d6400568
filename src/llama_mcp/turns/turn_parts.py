"""What one turn works with."""

from dataclasses import dataclass, replace

from llama_mcp.llama_server.ready_server import ReadyServer, ReadyServers
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.begun_turns import BegunTurn
from llama_mcp.turns.chat_request import ChatRequest
from llama_mcp.turns.going_on.adoption import Left
from llama_mcp.turns.going_on.reopening import Reopened
from llama_mcp.turns.known_prompts import KnownPrompts
from llama_mcp.turns.slot_queue import SlotQueues


@dataclass(frozen=True, slots=True)
class TurnParts:
    """The turn as it was begun, and the rooms that it passes through."""

    begun: BegunTurn
    request: ChatRequest
    server: ReadyServer
    archive: Archive
    queues: SlotQueues
    traces_content: bool
    servers: ReadyServers
    known_prompts: KnownPrompts
    left: Left | None = None
    """What another process has left of it."""
    reopened: Reopened | None = None
    """What had come of it before it was cancelled."""

    def without_contents(self) -> "TurnParts":
        """Return the same without what was sent: a turn that is over is known for a while."""
        return replace(
            self,
            begun=replace(self.begun, earlier=(), attached={}),
            request=replace(self.request, files=()),
            left=None,
            reopened=None,
        )
