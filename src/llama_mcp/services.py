"""What the process owns while it serves: llama-server's supervisor, the archive, turns under way.

Each room is imported and built when it is first asked for: clients start probes of us that they end
at once (TypeScript SDK 2 spawns every stdio server twice), and the first answer on the wire should
not wait for what it does not need.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskGroup

from llama_mcp.settings import Settings

if TYPE_CHECKING:
    from llama_mcp.llama_server.supervisor import Supervisor
    from llama_mcp.observing.observer import Observer
    from llama_mcp.sessions.archive import Archive
    from llama_mcp.turns.in_flight import InFlight

# Clients wait 2 s after closing our stdin, then kill.
CLOSE_SECONDS = 1.5


# Called at once when this process has changed a session: its id, and whether it is new or gone.
OnSessionChange = Callable[[str, bool], None]
# Called at once when this process has done something to llama-server.
OnLlamaServerChange = Callable[[], None]


class Services:
    """The rooms, as the front desk reaches them."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        tasks: TaskGroup,
        on_session_change: OnSessionChange,
        on_llama_server_change: OnLlamaServerChange,
    ) -> None:
        self.settings = settings
        self._environment = environment
        self._tasks = tasks
        self._on_session_change = on_session_change
        self._on_llama_server_change = on_llama_server_change
        self._is_shutting_down = False

    @cached_property
    def supervisor(self) -> "Supervisor":
        """The owner of llama-server's life."""
        from llama_mcp.llama_server.supervisor import Supervisor

        return Supervisor(
            self.settings,
            self._environment,
            self._tasks,
            count_open_turns=self._count_open_turns,
            on_change=self._on_llama_server_change,
        )

    @cached_property
    def archive(self) -> "Archive":
        """All sessions."""
        from llama_mcp.sessions.archive import Archive

        return Archive(self.settings.archive_path, self._on_session_change)

    @cached_property
    def in_flight(self) -> "InFlight":
        """The turns under way."""
        from llama_mcp.turns.in_flight import InFlight

        in_flight = InFlight(
            self.supervisor,
            self.archive,
            self._tasks,
            traces_content=self.settings.trace_content,
        )
        in_flight.is_shutting_down = self._is_shutting_down
        return in_flight

    @cached_property
    def observer(self) -> "Observer":
        """What is going on, put together from the rooms."""
        from llama_mcp.llama_server.metrics.reader import MetricsReader
        from llama_mcp.observing.observer import Observer

        metrics_reader = MetricsReader(self.supervisor.attachment, self.archive.last_change)
        return Observer(self.supervisor, metrics_reader, self.in_flight, self.archive)

    def _count_open_turns(self) -> int:
        return self.in_flight.count_open() if "in_flight" in self.__dict__ else 0

    def announce_shutdown(self) -> None:
        """Let turns know that the process ends, so that they are not taken for cancelled."""
        self._is_shutting_down = True
        if "in_flight" in self.__dict__:
            self.in_flight.is_shutting_down = True
        if "archive" in self.__dict__:
            self.archive.shorten_waits()

    async def aclose(self) -> None:
        """Close what was built."""
        if "supervisor" in self.__dict__:
            await self.supervisor.aclose()
        if "archive" in self.__dict__:
            await self.archive.close()


@asynccontextmanager
async def open_services(
    settings: Settings,
    environment: Mapping[str, str],
    *,
    on_session_change: OnSessionChange = lambda _session_id, _comes_or_goes: None,
    on_llama_server_change: OnLlamaServerChange = lambda: None,
) -> AsyncIterator[Services]:
    """Own the rooms until the context ends; turns under way are archived as interrupted then.

    Args:
        settings: the operator's.
        environment: what llama-server's environment is built from.
        on_session_change: called with each change of a session that this process makes.
        on_llama_server_change: called when this process starts or stops llama-server.
    """
    services: Services | None = None
    try:
        async with anyio.create_task_group() as tasks:
            services = Services(
                settings, environment, tasks, on_session_change, on_llama_server_change
            )
            try:
                yield services
            finally:
                tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_SECONDS):
            if services is not None:
                await services.aclose()
