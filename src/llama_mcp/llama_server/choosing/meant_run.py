"""Which run is meant by a model's name: for turns, and for who looks at a model or stops it."""

from collections.abc import Sequence
from pathlib import Path

import anyio.to_thread

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.runs.named_states import State, known_state, whole_named
from llama_mcp.llama_server.runs.run_state import RunState
from llama_mcp.models.library import Library
from llama_mcp.models.naming import find_entry, find_model
from llama_mcp.models.rows.names import folded
from llama_mcp.paths import is_same_file


async def run_meant(states: Sequence[State], name: str, library: Library) -> RunState | None:
    """Return the last run of a model; None for one that can be started, and never was.

    Args:
        states: the last run of each model.
        name: what `list_models` and `status` call it, its path, or a beginning that fits one only.
        library: knows the models that never ran.

    Raises:
        AmbiguousModelError: several names begin so.
        UnknownModelError: no model has it.
    """
    if (state := whole_named(states, name)) is not None:
        return state
    readable = [state for state in states if isinstance(state, RunState)]
    try:
        return await anyio.to_thread.run_sync(run_found, name, readable, library)
    except LlamaMCPError:
        return known_state(states, name)


def run_found(name: str, states: Sequence[RunState], library: Library) -> RunState | None:
    """Return the last run of what a name means; None for a model without one. Blocking.

    Raises:
        LlamaMCPError: it means no model, or several.
    """
    if entry := find_entry(name, library):
        return run_called(entry.name, states)
    model = find_model(name, library)
    return next((state for state in states if is_of(state, model.path)), None)


def run_called(name: str, states: Sequence[RunState]) -> RunState | None:
    """Return the last run of the model that the operator's file calls so."""
    return next((each for each in states if folded(each.run.launch.alias) == folded(name)), None)


def is_of(state: RunState, model: Path) -> bool:
    """Tell whether a run is, or was, one of that file."""
    return is_same_file(model, Path(state.run.launch.config.model_path or ""))
