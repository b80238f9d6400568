"""Who makes the request that is being answered; rooms below are told it by argument."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from llama_mcp.callers import LOCAL, Caller

_caller: ContextVar[Caller] = ContextVar("caller", default=LOCAL)


def current_caller() -> Caller:
    """Return who makes the request; over stdio it is always the person whose machine this is."""
    return _caller.get()


@contextmanager
def calling_as(caller: Caller) -> Iterator[None]:
    """Answer what is asked within the context as a request of that caller."""
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)
