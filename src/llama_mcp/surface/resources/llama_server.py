"""The resources that show what llama-server is doing; most have a tool that gives the same."""

from collections.abc import Callable

from mcp.server.mcpserver import MCPServer
from mcp.types import Annotations

from llama_mcp.services import Services
from llama_mcp.surface.failures import with_next_step
from llama_mcp.surface.results.tool_results import JSON, json_text

STATUS = "llama://server/status"
CONFIG = "llama://server/config"
METRICS = "llama://server/metrics"
PROMETHEUS = "llama://server/metrics.prom"
SLOTS = "llama://server/slots"
LOG = "llama://server/log"

PLAIN = "text/plain"
PROMETHEUS_TEXT = "text/plain; version=0.0.4"
# As many as the tool server_log gives when nobody says how many.
DEFAULT_LINES = 100
FOR_ALL = Annotations(audience=["user", "assistant"], priority=0.8)
IN_DETAIL = Annotations(audience=["user", "assistant"], priority=0.4)
FOR_PROGRAMS = Annotations(audience=["user"], priority=0.1)


def register(server: MCPServer[Services], services: Callable[[], Services]) -> None:
    """Add the resources to the server."""

    @server.resource(
        STATUS, name="server-status", title="Status", mime_type=JSON, annotations=FOR_ALL
    )
    async def server_status() -> str:
        """What llama-server is doing: the same as the tool status."""
        return json_text(with_next_step(await services().observer.status()))

    @server.resource(
        CONFIG, name="server-config", title="Settings", mime_type=JSON, annotations=IN_DETAIL
    )
    async def server_config() -> str:
        """The settings of llama-server: the same as the tool get_config."""
        return json_text(await services().observer.config())

    @server.resource(
        METRICS, name="server-metrics", title="Metrics", mime_type=JSON, annotations=FOR_ALL
    )
    async def server_metrics() -> str:
        """Tokens, speed, load and memory: the same as the tool server_metrics."""
        return json_text(await services().observer.metrics())

    @server.resource(
        PROMETHEUS,
        name="server-metrics-prometheus",
        title="Metrics for Prometheus",
        mime_type=PROMETHEUS_TEXT,
        annotations=FOR_PROGRAMS,
    )
    async def server_metrics_prometheus() -> str:
        """llama-server's own metrics and ours, as a Prometheus server scrapes them."""
        return await services().observer.prometheus_text()

    @server.resource(
        SLOTS, name="server-slots", title="Slots", mime_type=JSON, annotations=IN_DETAIL
    )
    async def server_slots() -> str:
        """What each slot of llama-server is doing, and which sessions generate or wait."""
        return json_text(await services().observer.slots())

    @server.resource(LOG, name="server-log", title="Log", mime_type=PLAIN, annotations=IN_DETAIL)
    async def server_log() -> str:
        """The end of llama-server's log: the same as the tool server_log."""
        log = await services().observer.log_end(DEFAULT_LINES)
        return "".join(f"{line}\n" for line in log.lines)
