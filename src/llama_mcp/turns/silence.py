"""Notices a reply that has fallen silent for good."""

import time
from collections.abc import Callable

import anyio

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.errors import StalledReplyError, UnresponsiveError
from llama_mcp.llama_server.liveness import BusySlots
from llama_mcp.llama_server.ready_server import ReadyServer
from llama_mcp.llama_server.supervisor import Supervisor

# However short the patience, llama-server is not asked more often.
MIN_PAUSE_SECONDS = 0.1


async def wait_until_silent(
    supervisor: Supervisor, server: ReadyServer, heard_at: Callable[[], float]
) -> LlamaMCPError:
    """Return why nothing will come any more, once that is so.

    Args:
        supervisor: who asks llama-server for a sign of life.
        server: the llama-server, and the patience with it.
        heard_at: tells when something came last, by time.monotonic().
    """
    patience = server.unresponsive_seconds
    alive_at = 0.0
    slots: BusySlots = {}
    while True:
        silence = time.monotonic() - max(heard_at(), alive_at)
        await anyio.sleep(max(patience - silence, MIN_PAUSE_SECONDS))
        if time.monotonic() - max(heard_at(), alive_at) < patience:
            slots = {}
            continue
        try:
            slots = await supervisor.check_alive(server.run, patience, slots)
        except (UnresponsiveError, StalledReplyError) as error:
            return error
        alive_at = time.monotonic()
