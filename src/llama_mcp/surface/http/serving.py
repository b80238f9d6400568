"""Serving HTTP until we are asked to end, and ending: first nothing new, then nothing at all."""

import gc
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import anyio
import anyio.lowlevel
import uvicorn

from llama_mcp.surface.http.app import HttpApp
from llama_mcp.surface.http.connections import TimedConnection
from llama_mcp.surface.mcp_server import LlamaMCPServer
from llama_mcp.surface.stdio.ending import call_when_asked_to_end

# A connection without a request; proxies keep theirs for as long.
KEEP_ALIVE_SECONDS = 65
MAX_CONNECTIONS = 2000
# Beyond the grace: what listeners, connections and services take at most, and a little more.
_CLOSE_SECONDS = 5.0
_POLL_SECONDS = 0.05
_SLOWEST_GOODBYE_SECONDS = 1.0


class _Server(uvicorn.Server):
    """uvicorn's, which leaves signals to us."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signals."""
        yield


class Tokens(Protocol):
    """Who may call, watched for as long as we serve."""

    async def watch(self, end_tokens: Callable[[frozenset[bytes]], object]) -> None:
        """Call end_tokens with those that are good no longer."""


def listener_for(app: HttpApp) -> uvicorn.Server:
    """Return what serves an application on sockets that it is given."""
    config = uvicorn.Config(
        app,
        lifespan="off",
        http=TimedConnection,
        ws="none",
        log_config=None,
        log_level="error",  # a line for each scanner that knocks helps nobody
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,
        # asyncio gives a request the context of the one before on its connection.
        reset_contextvars=True,
    )
    return _Server(config)


async def serve_until_cancelled(listener: uvicorn.Server, bound: socket.socket) -> None:
    """Serve until it is cancelled, and leave nothing open: uvicorn does so only when asked to end.

    Closed beneath the event loop, the socket would leave its number to one that is watched in vain.
    """
    try:
        await listener.serve([bound])
    finally:
        for each in getattr(listener, "servers", ()):  # none before it has begun
            each.close()
        for task in listener.server_state.tasks:
            task.cancel()


async def serve_http(
    app: HttpApp,
    server: LlamaMCPServer,
    bound: socket.socket,
    tokens: Tokens,
    grace_seconds: float,
    on_serving: Callable[[], object] | None = None,
) -> None:
    """Serve until we are asked to end; asked twice, end at once.

    Args:
        app: what is served.
        server: behind it.
        bound: where.
        tokens: who may call.
        grace_seconds: how long replies may go on after we were asked to end.
        on_serving: called once we hear when we are asked to end.
    """
    listener = listener_for(app)
    was_asked = anyio.Event()
    gc.freeze()
    gc.enable()

    def on_asked() -> None:
        if was_asked.is_set():
            os._exit(1)
        was_asked.set()

    async with app.lifespan(), anyio.create_task_group() as tasks:
        tasks.start_soon(call_when_asked_to_end, on_asked)
        tasks.start_soon(tokens.watch, app.gate.end_tokens)
        await anyio.lowlevel.checkpoint()  # the tasks above have begun
        if on_serving is not None:
            on_serving()

        async def end_when_asked() -> None:
            await was_asked.wait()
            _exit_after(grace_seconds + _CLOSE_SECONDS)
            await _drain(app, server, grace_seconds)
            listener.should_exit = True

        tasks.start_soon(end_when_asked)
        await listener.serve([bound])
        server.announce_shutdown()
        tasks.cancel_scope.cancel()


async def _drain(app: HttpApp, server: LlamaMCPServer, grace_seconds: float) -> None:
    """Let what is under way end, or end it."""
    app.gate.is_draining = True
    with anyio.move_on_after(_SLOWEST_GOODBYE_SECONDS):
        await server.tell_rest()
        app.end_listening()
        while app.gate.streams:
            await anyio.sleep(_POLL_SECONDS)
    with anyio.move_on_after(grace_seconds):
        while app.gate.underway:
            await anyio.sleep(_POLL_SECONDS)
    # What breaks off now is kept as interrupted, and goes on without us.
    server.announce_shutdown()
    app.gate.end_all()


def _exit_after(seconds: float) -> None:
    """End the process then, whatever still holds it up."""
    timer = threading.Timer(seconds, os._exit, (1,))
    timer.daemon = True
    timer.start()
