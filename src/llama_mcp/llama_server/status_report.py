"""From an observation to the ServerStatus that callers see, with its one sentence in words."""

import time

from llama_mcp.llama_server.api.client import Health, LlamaServerClient
from llama_mcp.llama_server.api.slots import count_slots, look_at_slots
from llama_mcp.llama_server.diagnosis.log import last_line
from llama_mcp.llama_server.runs import endings
from llama_mcp.llama_server.runs.attachment import count_clients
from llama_mcp.llama_server.runs.run_state import RunState, memory_of, read_run_state
from llama_mcp.llama_server.status import LastExit, ServerState, ServerStatus, SlotCount

NEVER_STARTED = ServerStatus(
    state=ServerState.STOPPED,
    message="No llama-server is running.",
)
SLEEPS = "The model sleeps, since nobody has used it for a while; the next chat wakes it."


async def report(seen: RunState, client: LlamaServerClient | None) -> ServerStatus:
    """Return the status of a run; a run that is ready is asked whether it still answers."""
    state, slots, notes = seen.state, None, list(seen.run.launch.notes)
    if state is ServerState.READY and client is not None:
        slots, is_sleeping = await _look_at_slots(seen, client)
        notes += [SLEEPS] if is_sleeping else []
        if slots is None:
            seen, state = await ask_health(seen, client)
    ended = endings.last_exit(seen)
    launch, outcome = seen.run.launch, seen.outcome
    is_up = seen.pid is not None
    started_at = seen.keeper.llama_server.at if seen.keeper and seen.keeper.llama_server else None
    return ServerStatus(
        state=state,
        message=_sentence(state, seen, ended),
        model=launch.alias,
        model_path=launch.config.model_path,
        url=launch.url if is_up else None,
        port=launch.port if is_up else None,
        pid=seen.pid,
        engine=launch.engine,
        uptime_seconds=round(time.time() - started_at, 1) if is_up and started_at else None,
        ready_after_seconds=outcome.ready_after_seconds if outcome else None,
        slots=slots,
        memory_bytes=memory_of(seen.pid),
        clients=count_clients(seen.run) if is_up else 0,
        last_exit=ended,
        notes=[*notes, *(outcome.warnings if outcome else [])] if is_up else None,
    )


async def ask_health(seen: RunState, client: LlamaServerClient) -> tuple[RunState, ServerState]:
    """Return what a run that was ready looks like, and its state, after asking for its health."""
    if await client.health() is Health.OK:
        return seen, ServerState.READY
    # It may have died since it was looked at.
    seen = await read_run_state(seen.run)
    return seen, ServerState.UNRESPONSIVE if seen.is_live else seen.state


async def _look_at_slots(
    seen: RunState, client: LlamaServerClient
) -> tuple[SlotCount | None, bool]:
    """Count the slots, and tell whether the model sleeps."""
    config = seen.run.launch.config
    look = await look_at_slots(config, client)
    if look.is_sleeping:
        total = (seen.outcome and seen.outcome.total_slots) or config.parallel
        return SlotCount(total=total, busy=0), True
    return count_slots(look.slots), False


def _sentence(state: ServerState, seen: RunState, ended: LastExit | None) -> str:
    launch = seen.run.launch
    model = launch.alias
    seconds = time.time() - launch.at
    match state:
        case ServerState.READY:
            window = f"{launch.config.ctx_size} tokens for each of {launch.config.parallel}"
            return f"{model} is ready at {launch.url} ({window} conversations at once)."
        case ServerState.STARTING:
            line = last_line(seen.run.log_path)
            shown = f" Last log line: {line[:200]}" if line else ""
            return f"{model} has been loading for {seconds:.0f} s.{shown}"
        case ServerState.STOPPING:
            return f"llama-server with {model} is being stopped."
        case ServerState.UNRESPONSIVE:
            return f"The process of {model} (pid {seen.pid}) lives but does not answer."
        case ServerState.CRASHED if ended:
            ending = endings.describe_ending(seen)
            return f"llama-server with {model} crashed ({ending}): {ended.cause}. {ended.advice}"
        case _ if ended:
            return f"llama-server with {model} did not start: {ended.cause}. {ended.advice}"
        case _:
            return f"No llama-server is running; the last one ({model}) was stopped."
