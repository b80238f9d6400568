"""How many replies a llama-server generates, for whoever it does so: asked before it is stopped."""

import anyio

from llama_mcp.llama_server import status_report
from llama_mcp.llama_server.runs.attachment import Attachment
from llama_mcp.llama_server.runs.named_states import State
from llama_mcp.llama_server.runs.run_state import RunState
from llama_mcp.llama_server.status import ServerState

# The slot of a reply that was just cancelled is free within this time.
FREED_SECONDS = 1.0
FREED_POLL_SECONDS = 0.05


async def busy_slots(state: State, attachment: Attachment) -> int:
    """Return how many slots of a llama-server generate; 0 of one that does not say.

    One that is just being freed is waited for.

    Args:
        state: of its run.
        attachment: gives the connection to it.
    """
    busy = await _busy(state, attachment)
    with anyio.move_on_after(FREED_SECONDS):
        while busy:
            await anyio.sleep(FREED_POLL_SECONDS)
            busy = await _busy(state, attachment)
    return busy


async def _busy(state: State, attachment: Attachment) -> int:
    if not isinstance(state, RunState) or state.state is not ServerState.READY:
        return 0
    slots = await status_report.slots_of(state, await attachment.connect(state.run))
    return slots.busy if slots else 0
