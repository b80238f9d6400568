"""The resources that show what llama-server is doing; most have a tool that gives the same."""

from collections.abc import Callable

from mcp.server.mcpserver import MCPServer
from mcp.types import Annotations

from llama_mcp.services import Services
from llama_mcp.surface.failures import with_next_step
from llama_mcp.surface.resources.uris import CONFIG, LOG, METRICS, PROMETHEUS, SLOTS, STATUS
from llama_mcp.surface.results.tool_results import JSON, json_text

PLAIN = "text/plain"
PROMETHEUS_TEXT = "text/plain; version=0.0.4"
LOG_LINES = 100
FOR_ALL = Annotations(audience=["user", "assistant"], priority=0.8)
IN_DETAIL = Annotations(audience=["user", "assistant"], priority=0.4)
FOR_PROGRAMS = Annotations(audience=["user"], priority=0.1)


class LlamaServerResources:
    """Status, settings, figures and log of llama-server."""

    def __init__(self, services: Callable[[], Services]) -> None:
        self._services = services

    def register(self, server: MCPServer[Services]) -> None:
        """Add the resources to the server."""
        for uri, name, title, mime_type, annotations, read in (
            (STATUS, "server-status", "Status", JSON, FOR_ALL, self.status),
            (CONFIG, "server-config", "Settings", JSON, IN_DETAIL, self.config),
            (METRICS, "server-metrics", "Metrics", JSON, FOR_ALL, self.metrics),
            (
                PROMETHEUS,
                "server-metrics-prometheus",
                "Metrics for Prometheus",
                PROMETHEUS_TEXT,
                FOR_PROGRAMS,
                self.prometheus,
            ),
            (SLOTS, "server-slots", "Slots", JSON, IN_DETAIL, self.slots),
            (LOG, "server-log", "Log", PLAIN, IN_DETAIL, self.log),
        ):
            server.resource(
                uri, name=name, title=title, mime_type=mime_type, annotations=annotations
            )(read)

    async def status(self) -> str:
        """What llama-server is doing."""
        services = self._services()
        status = await services.observer.status()
        return json_text(with_next_step(status, services.settings.offered_tools))

    async def config(self) -> str:
        """The settings of llama-server, its own or those of the next start."""
        return json_text(await self._services().observer.config())

    async def metrics(self) -> str:
        """Tokens, speed, load and memory."""
        return json_text(await self._services().observer.metrics())

    async def prometheus(self) -> str:
        """llama-server's own metrics and ours, as a Prometheus server scrapes them."""
        return await self._services().observer.prometheus_text()

    async def slots(self) -> str:
        """What each slot of llama-server is doing, and which sessions generate or wait."""
        return json_text(await self._services().observer.slots())

    async def log(self) -> str:
        """The end of llama-server's log."""
        log = await self._services().observer.log_end(LOG_LINES)
        return "".join(f"{line}\n" for line in log.lines)
