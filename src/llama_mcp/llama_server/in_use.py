"""Whether a llama-server may be stopped: nobody uses it, or has just ceased to."""

from llama_mcp.llama_server.busy_slots import busy_slots
from llama_mcp.llama_server.errors import InUseError
from llama_mcp.llama_server.runs.attachment import Attachment
from llama_mcp.llama_server.runs.named_states import State
from llama_mcp.llama_server.runs.run_state import RunState
from llama_mcp.llama_server.use import TurnsUnderway
from llama_mcp.wording import counted


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
    if busy_now := await busy_slots(state, attachment):
        raise InUseError([f"{counted(busy_now, 'reply is', 'replies are')} being generated"], model)
