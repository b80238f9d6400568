"""A reply received until it is over, breaks off, or has stood still for too long."""

from collections.abc import Awaitable, Callable

import anyio

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.ready_server import ReadyServer


async def why_broken_off(
    server: ReadyServer, receive: Callable[[], Awaitable[None]], heard_at: Callable[[], float]
) -> LlamaMCPError | None:
    """Receive a reply and return why it broke off; None when it is complete.

    Args:
        server: Generates it, and tells when its silence means that it has stopped.
        receive: Returns when the reply is over; is cancelled when it has stopped.
        heard_at: Returns when something of it came last, by time.monotonic().
    """
    failures: list[LlamaMCPError] = []

    async def watch_for_silence(scope: anyio.CancelScope) -> None:
        failures.append(await server.wait_until_silent(heard_at))
        scope.cancel()

    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as scope:
            tasks.start_soon(watch_for_silence, scope)
            try:
                await receive()
            except LlamaMCPError as error:
                failures.append(await server.explain_loss(error))
        tasks.cancel_scope.cancel()
    return failures[0] if failures else None
