"""The resources that show what llama-server is doing; most have a tool that gives the same."""

from collections.abc import Callable

from mcp.server.mcpserver import MCPServer
from mcp.types import Annotations

from llama_mcp.errors import Words
from llama_mcp.services import Services
from llama_mcp.surface.calling import current_caller
from llama_mcp.surface.failures import with_next_step
from llama_mcp.surface.resources.uris import (
    CONFIG,
    CONFIG_OF_MODEL,
    LOG,
    LOG_OF_MODEL,
    METRICS,
    METRICS_OF_MODEL,
    PROMETHEUS,
    SLOTS,
    SLOTS_OF_MODEL,
    STATUS,
    STATUS_OF_MODEL,
)
from llama_mcp.surface.results.discretion import discretion_of
from llama_mcp.surface.results.tool_results import JSON, json_text

PLAIN = "text/plain"
PROMETHEUS_TEXT = "text/plain; version=0.0.4"
LOG_LINES = 100
FOR_ALL = Annotations(audience=["user", "assistant"], priority=0.8)
IN_DETAIL = Annotations(audience=["user", "assistant"], priority=0.4)
FOR_PROGRAMS = Annotations(audience=["user"], priority=0.1)


class LlamaServerResources:
    """Status, settings, figures and log of llama-server, and of that of each model."""

    def __init__(self, services: Callable[[], Services], words: Callable[[], Words]) -> None:
        self._services = services
        self._words = words

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
            (STATUS_OF_MODEL, "model-status", "Status of a model", JSON, FOR_ALL, self.status_of),
            (
                *(CONFIG_OF_MODEL, "model-config", "Settings of a model", JSON, IN_DETAIL),
                self.config_of,
            ),
            (
                *(METRICS_OF_MODEL, "model-metrics", "Metrics of a model", JSON, FOR_ALL),
                self.metrics_of,
            ),
            (SLOTS_OF_MODEL, "model-slots", "Slots of a model", JSON, IN_DETAIL, self.slots_of),
            (LOG_OF_MODEL, "model-log", "Log of a model", PLAIN, IN_DETAIL, self.log_of),
        ):
            server.resource(
                uri, name=name, title=title, mime_type=mime_type, annotations=annotations
            )(read)

    async def status(self) -> str:
        """What llama-server is doing."""
        return await self._status(None)

    async def config(self) -> str:
        """The settings of llama-server, its own or those of the next start."""
        return await self._config(None)

    async def metrics(self) -> str:
        """Tokens, speed, load and memory."""
        return await self._metrics(None)

    async def prometheus(self) -> str:
        """llama-server's own metrics and ours, as a Prometheus server scrapes them."""
        whose = current_caller().whose_figures
        return await self._services().observer.prometheus_text(owner=whose)

    async def slots(self) -> str:
        """What each slot of llama-server is doing, and which sessions generate or wait."""
        return await self._slots(None)

    async def log(self) -> str:
        """The end of llama-server's log."""
        return await self._log(None)

    async def status_of(self, name: str) -> str:
        """What the llama-server of a model is doing."""
        return await self._status(name)

    async def config_of(self, name: str) -> str:
        """The settings of a model's llama-server, its own or those of its next start."""
        return await self._config(name)

    async def metrics_of(self, name: str) -> str:
        """Tokens, speed, load and memory of a model's llama-server."""
        return await self._metrics(name)

    async def slots_of(self, name: str) -> str:
        """What each slot of a model's llama-server is doing, and for which sessions."""
        return await self._slots(name)

    async def log_of(self, name: str) -> str:
        """The end of the log of a model's llama-server."""
        return await self._log(name)

    async def _status(self, model: str | None) -> str:
        status = await self._services().observer.status(model)
        told = discretion_of(self._services()).status(with_next_step(status, self._words()))
        return json_text(told)

    async def _config(self, model: str | None) -> str:
        config = await self._services().observer.config(model)
        return json_text(discretion_of(self._services()).config(config))

    async def _metrics(self, model: str | None) -> str:
        whose = current_caller().whose_figures
        return json_text(await self._services().observer.metrics(model, owner=whose))

    async def _slots(self, model: str | None) -> str:
        owner = current_caller().owner
        return json_text(await self._services().observer.slots(model, owner=owner))

    async def _log(self, model: str | None) -> str:
        log = await self._services().observer.log_end(LOG_LINES, model=model)
        return "".join(f"{line}\n" for line in log.lines)
