"""Opens what a process owns while it serves or looks, and closes it once."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import anyio

from llama_mcp import upkeep
from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.services import AskedBy, OnLlamaServerChange, OnSessionChange, Services
from llama_mcp.settings import Settings

# Clients wait 2 s after closing our stdin, then kill.
CLOSE_SECONDS = 1.5


@asynccontextmanager
async def open_services(
    settings: Settings,
    environment: Mapping[str, str],
    *,
    on_session_change: OnSessionChange = lambda _session_id, _owner, _comes_or_goes: None,
    on_llama_server_change: OnLlamaServerChange = lambda: None,
    asked_by: AskedBy = lambda: LOCAL_OWNER,
    only_looks: bool = False,
    never_ends: bool = False,
) -> AsyncIterator[Services]:
    """Own the rooms until the context ends; turns under way are left to who can go on with them.

    Args:
        settings: the operator's.
        environment: what llama-server's environment is built from.
        on_session_change: called with each change of a session that this process makes.
        on_llama_server_change: called when this process starts or stops llama-server.
        asked_by: returns whose request is answered.
        only_looks: nothing is taken over, cleared away or replaced by itself.
        never_ends: leases are given back while nobody has a turn, as no end of us does it.
    """
    services: Services | None = None
    try:
        async with anyio.create_task_group() as tasks:
            services = Services(
                settings,
                environment,
                tasks,
                on_session_change,
                on_llama_server_change,
                asked_by,
                only_looks=only_looks,
            )
            if never_ends:
                tasks.start_soon(upkeep.give_leases_back, services)
            if not only_looks:
                tasks.start_soon(upkeep.log_missing_folders, settings)
                tasks.start_soon(upkeep.look_for_finished, services)
            try:
                yield services
            finally:
                tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_SECONDS):
            if services is not None:
                await services.aclose()
