"""Serving MCP over stdio, and a clean end however it comes.

Names that are private to the SDK are touched here and in notifications/subscriptions.py;
tests/surface/test_sdk_private_names.py guards them.
"""

import gc
from collections.abc import Callable
from typing import Any

import anyio
from mcp.server.lowlevel import NotificationOptions
from mcp.server.mcpserver import MCPServer

from llama_mcp.early.handover import Handover
from llama_mcp.surface.stdio.ending import call_when_asked_to_end
from llama_mcp.surface.stdio.messages import message_streams


async def serve_stdio(
    server: MCPServer[Any],
    on_end: Callable[[], None],
    handover: Handover | None = None,
) -> None:
    """Serve until stdin is closed or we are asked to end; the server's lifespan ends first.

    Args:
        server: what is served.
        on_end: called when the end begins, before requests under way are cancelled.
        handover: what was read and answered before; None when nothing was.
    """
    low_level = server._lowlevel_server
    options = low_level.create_initialization_options(
        NotificationOptions(prompts_changed=True, resources_changed=True, tools_changed=True)
    )
    # What start-up has made stays for ever: leaving it out of collections keeps calls and exit
    # quick (measured: exit in 0.03 s instead of 0.3 s).
    gc.freeze()
    gc.enable()
    async with anyio.create_task_group() as tasks:

        def end() -> None:
            on_end()
            tasks.cancel_scope.cancel()

        tasks.start_soon(call_when_asked_to_end, end)
        async with message_streams(on_end, handover or Handover()) as (reader, writer):
            await low_level.run(reader, writer, options)
        tasks.cancel_scope.cancel()
