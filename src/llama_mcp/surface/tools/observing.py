"""The tools that show what llama-server is doing: its figures and its log."""

from collections.abc import Callable
from typing import Annotated

from mcp.server.mcpserver import MCPServer
from mcp.types import CallToolResult
from pydantic import Field

from llama_mcp.llama_server.diagnosis.log import MAX_LINES, Level, ServerLog
from llama_mcp.observing.figures import ServerMetrics
from llama_mcp.services import Services
from llama_mcp.surface.results.texts import log_text, metrics_text
from llama_mcp.surface.results.tool_results import tool_result
from llama_mcp.surface.tools import hints

DEFAULT_LINES = 100

MetricsResult = Annotated[CallToolResult, ServerMetrics]
LogResult = Annotated[CallToolResult, ServerLog]


def register(server: MCPServer[Services], services: Callable[[], Services]) -> None:
    """Add the tools of this file to the server."""

    @server.tool(title="Figures of the local model", annotations=hints.LOOKS)
    async def server_metrics() -> MetricsResult:
        """Show tokens, speed, load, memory, and what earlier turns saw. Wakes no sleeping model."""
        metrics = await services().observer.metrics()
        return tool_result(metrics_text(metrics), metrics)

    @server.tool(title="Log of the local model", annotations=hints.LOOKS)
    async def server_log(
        lines: Annotated[int, Field(ge=1, le=MAX_LINES, description="Newest lines.")] = (
            DEFAULT_LINES
        ),
        level: Annotated[Level | None, Field(description="Only this bad or worse.")] = None,
    ) -> LogResult:
        """Show the end of llama-server's log, also after it has stopped or crashed."""
        log = await services().observer.log_end(lines, level)
        return tool_result(log_text(log), log)
