"""Who makes the request that is being answered; rooms below are told it by argument.

Over stdio it is the person whose machine this is, and a request lasts until it is answered or its
client cancels it. Over HTTP a request comes with its `Exchange`: its caller can go away without
having cancelled anything, as Wi-Fi and proxies do.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from llama_mcp.callers import LOCAL, Caller


@dataclass(eq=False, slots=True)
class Exchange:
    """One request over HTTP, from its headers to the end of its response."""

    caller: Caller
    digest: bytes
    """By which its token is known."""
    is_stream: bool = False
    """Whether its response ends only with its client: changes are told on it."""
    is_get: bool = False
    """Whether that is the stream of a session of the initialize era."""
    has_client_gone: bool = False
    """Whether its connection was closed before the response was whole."""
    is_cancelled: Callable[[], bool] = lambda: False
    """Whether its client has cancelled it by a notification."""
    end: Callable[[], object] = lambda: None
    """Ends the answering, as a cancel would; set while it is answered."""
    is_ended: bool = False
    """Whether we have ended it, because its token is good no longer."""


_caller: ContextVar[Caller] = ContextVar("caller", default=LOCAL)
_exchange: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


def current_caller() -> Caller:
    """Return who makes the request; over stdio it is always the person whose machine this is."""
    return _caller.get()


def has_client_gone() -> bool:
    """Tell whether nobody takes the answer any more: what it tells, its client does not hear."""
    exchange = _exchange.get()
    return exchange is not None and exchange.has_client_gone


def was_cancelled() -> bool:
    """Tell of a request that is broken off whether its client, or the operator, wants that.

    Over HTTP it can be the end of a session instead, or of the process; then its turn goes on.
    """
    exchange = _exchange.get()
    return exchange is None or exchange.is_ended or exchange.is_cancelled()


@contextmanager
def calling_as(caller: Caller) -> Iterator[None]:
    """Answer what is asked within the context as a request of that caller."""
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)


@contextmanager
def answering(exchange: Exchange) -> Iterator[None]:
    """Answer a request over HTTP within the context, as its caller's."""
    token = _exchange.set(exchange)
    try:
        with calling_as(exchange.caller):
            yield
    finally:
        _exchange.reset(token)
