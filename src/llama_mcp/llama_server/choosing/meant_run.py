"""Which run somebody means who looks at a model or stops it: the one that a turn would mean."""

from collections.abc import Sequence

import anyio.to_thread

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.choosing.wanted_model import is_of
from llama_mcp.llama_server.runs.named_states import State, known_state, whole_named
from llama_mcp.llama_server.runs.run_state import RunState
from llama_mcp.models.library import Library
from llama_mcp.models.naming import find_model


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
    try:
        model = await anyio.to_thread.run_sync(find_model, name, library)
    except LlamaMCPError:
        return known_state(states, name)
    readable = (state for state in states if isinstance(state, RunState))
    return next((state for state in readable if is_of(state, model.path)), None)
