"""Which run a caller means by the name of its model; pure."""

from collections.abc import Sequence

from llama_mcp.llama_server.model_errors import AmbiguousModelError, UnknownModelError
from llama_mcp.llama_server.runs.run_state import RunState, UnreadableState

State = RunState | UnreadableState


def whole_named(states: Sequence[State], name: str) -> RunState | None:
    """Return the state of the model with just that name, or of that file.

    In another case it may be the name of a model that never ran: the library is asked first.
    """
    readable = (state for state in states if isinstance(state, RunState))
    launches = ((state, state.run.launch) for state in readable)
    return next((s for s, of in launches if name in (of.alias, of.config.model_path)), None)


def named_state(states: Sequence[State], name: str) -> RunState | None:
    """Return the state of the model with that name; None when there is none.

    Case does not count, a path of its file is its name too, and a beginning is enough that only one
    name has.

    Args:
        states: the last run of each model.
        name: what the caller has passed.

    Raises:
        AmbiguousModelError: several names begin so.
    """
    if (whole := whole_named(states, name)) is not None:
        return whole
    low = name.casefold()
    readable = [state for state in states if isinstance(state, RunState)]
    for state in readable:
        if state.run.launch.alias.casefold() == low:
            return state
    begun = [each for each in readable if each.run.launch.alias.casefold().startswith(low)]
    if len(begun) > 1:
        raise AmbiguousModelError(name, [each.run.launch.alias for each in begun])
    return begun[0] if begun else None


def known_state(states: Sequence[State], name: str) -> RunState:
    """Return the state of the model with that name, as `named_state` does.

    Raises:
        AmbiguousModelError: several names begin so.
        UnknownModelError: none has it.
    """
    found = named_state(states, name)
    if found is None:
        readable = [state for state in states if isinstance(state, RunState)]
        raise UnknownModelError(name, [f"{s.run.launch.alias} ({s.state})" for s in readable])
    return found


def default_state(states: Sequence[State]) -> State | None:
    """Return the state that is meant when no model is named; None when there never was a run.

    That is the run that was launched last, unless it is over and another one lives.
    """
    first = next(iter(states), None)
    if first is None or first.is_live or first.pid is not None:
        return first
    return next((state for state in states if state.is_live), first)
