"""A llama-server that answers, as the conversation room gets to see it."""

from dataclasses import dataclass, field

from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.runs.run import Run


@dataclass(frozen=True, slots=True)
class ReadyServer:
    """A llama-server that answers, as one turn needs it."""

    client: LlamaServerClient
    run: Run
    slot_ctx_size: int
    total_slots: int
    # Silence after which it is asked for a sign of life.
    unresponsive_seconds: float
    # What the caller of the turn should know, such as that it was started again.
    notes: list[str] = field(default_factory=list)

    @property
    def model(self) -> str:
        """The model's name."""
        return self.run.launch.alias
