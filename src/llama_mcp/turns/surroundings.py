"""What every turn of the process works with."""

from dataclasses import dataclass

from llama_mcp.llama_server.supervisor import Supervisor
from llama_mcp.sessions.archive import Archive
from llama_mcp.turns.slot_queue import SlotQueue


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every turn of the process works with."""

    archive: Archive
    supervisor: Supervisor
    queue: SlotQueue
    # Whether spans carry what was said.
    traces_content: bool
