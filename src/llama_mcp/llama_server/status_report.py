"""From the state of a run to the ServerStatus that callers see, with its one sentence."""

from pathlib import Path

import anyio.to_thread

from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.api.slots import count_slots, read_slots
from llama_mcp.llama_server.diagnosis.log import last_line
from llama_mcp.llama_server.runs import endings, neighbours
from llama_mcp.llama_server.runs.leases import count_clients
from llama_mcp.llama_server.runs.members import memory_of
from llama_mcp.llama_server.runs.run_state import (
    RunState,
    UnreadableState,
    check_health,
)
from llama_mcp.llama_server.status import (
    LastExit,
    ModelStatus,
    ServerState,
    ServerStatus,
    SlotCount,
)

SLEEPS = "The model sleeps, since nobody has used it for a while; the next chat wakes it."

IS_IN_A_JOB = (
    "The program that started llama-mcp holds its processes in a Windows job that none may leave: "
    "llama-server may end together with that program."
)


async def never_started(runs_dir: Path, model: str | None = None) -> ServerStatus:
    """Return the status of a home in which nothing was ever started here.

    Args:
        runs_dir: where runs are recorded.
        model: it is this model that was not; None for any.
    """
    elsewhere = await _elsewhere(runs_dir)
    running = f"running with {model}" if model else "running"
    here = f"No llama-server is {running} here." if elsewhere else f"No llama-server is {running}."
    message = " ".join((here, *elsewhere))
    return ServerStatus(state=ServerState.STOPPED, message=message, model=model)


async def measure_memory(run_state: RunState) -> int | None:
    """Return the memory that a run takes; None of one that is over."""
    return await anyio.to_thread.run_sync(lambda: memory_of(run_state.pids))


async def report(
    run_state: RunState,
    client: LlamaServerClient | None,
    memory_bytes: int | None,
    difference: str = "",
) -> ServerStatus:
    """Return the status of a run; a run that is ready is asked whether it still answers.

    Args:
        run_state: what its records and processes say.
        client: the connection to it.
        memory_bytes: what it takes.
        difference: what speaks against one that is starting.
    """
    state, slots, notes = run_state.state, None, list(run_state.run.launch.notes)
    if run_state.keeper and run_state.keeper.is_in_a_job:
        notes.append(IS_IN_A_JOB)
    if state is ServerState.READY and client is not None:
        slots, is_sleeping = await _read_slots(run_state, client)
        notes += [SLEEPS] if is_sleeping else []
        if slots is None:
            run_state, state = await check_health(run_state, client)
    ended = None
    if endings.has_ended_by_itself(run_state):
        ended = await anyio.to_thread.run_sync(endings.last_exit, run_state)
    launch, outcome, pid = run_state.run.launch, run_state.outcome, run_state.pid
    is_up = pid is not None
    elsewhere = [] if is_up else await _elsewhere(run_state.run.folder.parent)
    return ServerStatus(
        state=state,
        message=_sentence(state, run_state, ended, difference),
        model=launch.alias,
        model_path=launch.config.model_path,
        about_model=launch.about_model if is_up else None,
        url=launch.url if is_up else None,
        port=launch.port if is_up else None,
        pid=pid,
        engine=launch.engine,
        uptime_seconds=run_state.uptime_seconds,
        ready_after_seconds=outcome.ready_after_seconds if outcome else None,
        slots=slots,
        memory_bytes=memory_bytes if is_up else None,
        clients=count_clients(run_state.run) if is_up or state is ServerState.IDLE else 0,
        last_exit=ended,
        # A build may be asked for its devices, and say in its log too that there are none.
        notes=list(dict.fromkeys([*notes, *(outcome.warnings if outcome else [])]))
        if is_up
        else elsewhere or None,
    )


def row_of(state: RunState) -> ModelStatus:
    """Return what is told of a model that runs, or is idle, beside others. Blocking."""
    return ModelStatus(
        name=state.run.launch.alias,
        state=state.state,
        port=state.run.launch.port if state.pid is not None else None,
        memory_bytes=memory_of(state.pids),
        idle_seconds=round(state.run.quiet_seconds(), 1),
        clients=count_clients(state.run),
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
        memory_bytes=memory_of(state.pids),
        clients=count_clients(state.run) if state.pid else 0,
    )


async def _elsewhere(runs_dir: Path) -> list[str]:
    # In a thread: a home that is shared may be on a network.
    return await anyio.to_thread.run_sync(neighbours.describe, runs_dir)


async def slots_of(state: RunState, client: LlamaServerClient) -> SlotCount | None:
    """Return how many slots of a run generate; None when it does not tell."""
    slots, _ = await _read_slots(state, client)
    return slots


async def _read_slots(state: RunState, client: LlamaServerClient) -> tuple[SlotCount | None, bool]:
    """Count the slots, and tell whether the model sleeps."""
    answer = await read_slots(state.run.launch.config, client)
    if answer.is_sleeping:
        return SlotCount(total=state.total_slots, busy=0), True
    return count_slots(answer.slots), False


def _sentence(
    state: ServerState, run_state: RunState, ended: LastExit | None, difference: str
) -> str:
    launch = run_state.run.launch
    model = launch.alias
    seconds = launch.age_seconds
    match state:
        case ServerState.READY:
            slots = run_state.total_slots
            for_each = f"each of {slots} conversations at once"
            at_once = "one conversation at a time" if slots == 1 else for_each
            window = f"{run_state.slot_ctx_size} tokens for {at_once}"
            return f"{model} is ready at {launch.url} ({window})."
        case ServerState.STARTING if difference:
            age = f"{model} was started {seconds:.0f} s ago"
            return f"{age} and is not proved to be ready: {difference}."
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
        case ServerState.IDLE:
            return (
                f"{endings.describe_unloading(launch)}; the next call that needs it brings it back."
            )
        case _ if ended:
            return f"llama-server with {model} did not start: {ended.cause}. {ended.advice}"
        case _:
            return f"No llama-server is running; the last one ({model}) was stopped."
