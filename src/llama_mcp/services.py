"""What the process owns while it serves: llama-server's supervisor, the archive, turns under way.

Nothing is opened, locked or spawned until the first call that needs it: clients start probes of us
that they end at once (reference: TypeScript SDK 2 spawns every stdio server twice).
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

from llama_mcp.llama_server.supervisor import Supervisor
from llama_mcp.sessions.archive import Archive
from llama_mcp.settings import Settings
from llama_mcp.turns.in_flight import InFlight

# Clients wait 2 s after closing our stdin, then kill.
CLOSE_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Services:
    """The rooms, as the front desk reaches them."""

    settings: Settings
    supervisor: Supervisor
    archive: Archive
    in_flight: InFlight


@asynccontextmanager
async def open_services(
    settings: Settings, environment: Mapping[str, str]
) -> AsyncIterator[Services]:
    """Own the rooms until the context ends; turns under way are archived as interrupted then."""
    archive = Archive(settings.archive_path)
    supervisor: Supervisor | None = None
    try:
        async with anyio.create_task_group() as tasks:
            supervisor = Supervisor(settings, environment, tasks)
            in_flight = InFlight(supervisor, archive, tasks)
            supervisor.count_open_turns = in_flight.count_open
            try:
                yield Services(settings, supervisor, archive, in_flight)
            finally:
                tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_SECONDS):
            if supervisor is not None:
                await supervisor.aclose()
            await archive.close()
