"""From the state of a run to the ServerStatus that callers see, with its one sentence."""

import time

from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.api.slots import count_slots, read_slots
from llama_mcp.llama_server.diagnosis.log import last_line
from llama_mcp.llama_server.runs import endings
from llama_mcp.llama_server.runs.attachment import count_clients
from llama_mcp.llama_server.runs.run_state import (
    RunState,
    UnreadableState,
    check_health,
    memory_of,
)
from llama_mcp.llama_server.status import LastExit, ServerState, ServerStatus, SlotCount

NEVER_STARTED = ServerStatus(
    state=ServerState.STOPPED,
    message="No llama-server is running.",
)
SLEEPS = "The model sleeps, since nobody has used it for a while; the next chat wakes it."

IS_IN_A_JOB = (
    "The program that started llama-mcp holds its processes in a Windows job that none may leave: "
    "llama-server may end together with that program."
)


async def report(run_state: RunState, client: LlamaServerClient | None) -> ServerStatus:
    """Return the status of a run; a run that is ready is asked whether it still answers."""
    state, slots, notes = run_state.state, None, list(run_state.run.launch.notes)
    if run_state.keeper and run_state.keeper.is_in_a_job:
        notes.append(IS_IN_A_JOB)
    if state is ServerState.READY and client is not None:
        slots, is_sleeping = await _read_slots(run_state, client)
        notes += [SLEEPS] if is_sleeping else []
        if slots is None:
            run_state, state = await check_health(run_state, client)
    ended = endings.last_exit(run_state)
    launch, outcome, pid = run_state.run.launch, run_state.outcome, run_state.pid
    is_up = pid is not None
    return ServerStatus(
        state=state,
        message=_sentence(state, run_state, ended),
        model=launch.alias,
        model_path=launch.config.model_path,
        url=launch.url if is_up else None,
        port=launch.port if is_up else None,
        pid=pid,
        engine=launch.engine,
        uptime_seconds=run_state.uptime_seconds,
        ready_after_seconds=outcome.ready_after_seconds if outcome else None,
        slots=slots,
        memory_bytes=memory_of(pid),
        clients=count_clients(run_state.run) if is_up else 0,
        last_exit=ended,
        notes=[*notes, *(outcome.warnings if outcome else [])] if is_up else None,
    )


def report_unreadable(state: UnreadableState) -> ServerStatus:
    """Return the status of a run whose record cannot be read: its folder and its process."""
    record = f"record in {state.run.folder} cannot be read ({state.run.problem})"
    if state.pid is None:
        message = f"No llama-server is running, and the last one's {record}."
    else:
        message = f"A llama-server runs (pid {state.pid}) whose {record}; nobody can talk to it."
    return ServerStatus(
        state=state.state,
        message=message,
        pid=state.pid,
        memory_bytes=memory_of(state.pid),
        clients=count_clients(state.run) if state.pid else 0,
    )


async def _read_slots(state: RunState, client: LlamaServerClient) -> tuple[SlotCount | None, bool]:
    """Count the slots, and tell whether the model sleeps."""
    answer = await read_slots(state.run.launch.config, client)
    if answer.is_sleeping:
        return SlotCount(total=state.total_slots, busy=0), True
    return count_slots(answer.slots), False


def _sentence(state: ServerState, run_state: RunState, ended: LastExit | None) -> str:
    launch = run_state.run.launch
    model = launch.alias
    seconds = time.time() - launch.at
    match state:
        case ServerState.READY:
            window = f"{launch.config.ctx_size} tokens for each of {launch.config.parallel}"
            return f"{model} is ready at {launch.url} ({window} conversations at once)."
        case ServerState.STARTING:
            line = last_line(run_state.run.log_path)
            shown = f" Last log line: {line[:200]}" if line else ""
            return f"{model} has been loading for {seconds:.0f} s.{shown}"
        case ServerState.STOPPING:
            return f"llama-server with {model} is being stopped."
        case ServerState.UNRESPONSIVE:
            return f"The process of {model} (pid {run_state.pid}) lives but does not answer."
        case ServerState.CRASHED if ended:
            ending = endings.describe_ending(run_state)
            return f"llama-server with {model} crashed ({ending}): {ended.cause}. {ended.advice}"
        case _ if ended:
            return f"llama-server with {model} did not start: {ended.cause}. {ended.advice}"
        case _:
            return f"No llama-server is running; the last one ({model}) was stopped."
