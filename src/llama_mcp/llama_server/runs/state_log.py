"""The log lines of a run's life: one at INFO for each change of state that this process reads."""

import logging

from llama_mcp.llama_server.runs.endings import describe_ending
from llama_mcp.llama_server.runs.run_state import RunState, UnreadableState
from llama_mcp.llama_server.status import ServerState

logger = logging.getLogger(__name__)

# Runs that are remembered, more than are looked at again and again: those of all models that a home
# remembers (of_models.py), and earlier ones whose state a turn may still read.
REMEMBERED_RUNS = 64


class StateLog:
    """Remembers what it logged, so that a change is logged once however often it is read."""

    def __init__(self) -> None:
        self._logged: dict[str, ServerState] = {}

    def note(self, state: RunState | UnreadableState) -> None:
        """Log the state of a run unless it is what was logged of it last."""
        before = self._logged.get(state.run.name)
        is_spawning = state.state is ServerState.STARTING and state.last_pid is None
        if state.state is before or is_spawning:
            return
        if before is None and len(self._logged) == REMEMBERED_RUNS:
            del self._logged[next(iter(self._logged))]
        self._logged[state.run.name] = state.state
        change = f"{before} -> {state.state}" if before else str(state.state)
        log_event(state, f"{change}{_reason(state)}")


def log_event(state: RunState | UnreadableState, event: str) -> None:
    """Log what happened to a run at INFO.

    Args:
        state: the run's state.
        event: what happened, without anything that a person wrote.
    """
    logger.info("llama-server run=%s pid=%s: %s", state.run.name, state.last_pid, event)


def _reason(state: RunState | UnreadableState) -> str:
    if isinstance(state, UnreadableState):
        return f" (its record cannot be read: {state.run.problem})"
    match state.state:
        case ServerState.CRASHED:
            return f" ({describe_ending(state)})"
        case ServerState.STOPPING | ServerState.STOPPED if state.run.is_stop_requested():
            return " (a stop was asked for)"
        case ServerState.STOPPING | ServerState.IDLE if state.run.is_unloaded():
            return " (idle: it had no turn for long)"
        case ServerState.STOPPING | ServerState.STOPPED if state.run.is_unused():
            return " (unused: nobody held a lease on it)"
        case _:
            return ""
