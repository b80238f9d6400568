"""Whether a llama-server may be stopped: nobody uses it, or has just ceased to."""

import anyio

from llama_mcp.llama_server import status_report
from llama_mcp.llama_server.choosing.room import TurnsUnderway
from llama_mcp.llama_server.errors import InUseError
from llama_mcp.llama_server.runs.attachment import Attachment
from llama_mcp.llama_server.runs.named_states import State
from llama_mcp.llama_server.runs.run_state import RunState
from llama_mcp.llama_server.status import ServerState, SlotCount
from llama_mcp.wording import counted

# The slot of a reply that was just cancelled is free within this time.
FREED_SECONDS = 1.0
FREED_POLL_SECONDS = 0.05


async def refuse_while_in_use(
    state: State, attachment: Attachment, turns_underway: TurnsUnderway
) -> None:
    """Raise InUseError while a run is used.

    Args:
        state: the run, which lives.
        attachment: tells who holds a lease on it.
        turns_underway: returns the turns that are not over, of all processes.
    """
    underway = await turns_underway()
    generating = [use for use in underway if use.may_use(state.run.name)]
    busy = {use.pid for use in generating}
    idle = [use for use in attachment.others(state.run) if use.pid not in busy]
    model = state.run.launch.alias if isinstance(state, RunState) else None
    if generating or idle:
        raise InUseError([*generating, *idle], model)
    slots = await _slots(state, attachment)
    with anyio.move_on_after(FREED_SECONDS):
        while slots and slots.busy:
            await anyio.sleep(FREED_POLL_SECONDS)
            slots = await _slots(state, attachment)
    if slots and slots.busy:
        raise InUseError(
            [f"{counted(slots.busy, 'reply is', 'replies are')} being generated"], model
        )


async def _slots(state: State, attachment: Attachment) -> SlotCount | None:
    if not isinstance(state, RunState) or state.state is not ServerState.READY:
        return None
    return await status_report.slots_of(state, await attachment.connect(state.run))
