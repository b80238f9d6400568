"""The tools that show what llama-server is doing: its figures and its log."""

from collections.abc import Callable
from typing import Annotated

from mcp.server.mcpserver import MCPServer
from mcp.types import CallToolResult
from pydantic import Field

from llama_mcp.llama_server.status import MAX_LOG_LINES, Level, ServerLog
from llama_mcp.observing.figures import ServerMetrics
from llama_mcp.services import Services
from llama_mcp.surface.calling import current_caller
from llama_mcp.surface.results.texts import log_text, metrics_text
from llama_mcp.surface.results.tool_results import tool_result
from llama_mcp.surface.tools.parameters import READ_ONLY, ModelName

MetricsResult = Annotated[CallToolResult, ServerMetrics]
LogResult = Annotated[CallToolResult, ServerLog]
Lines = Annotated[int, Field(ge=1, le=MAX_LOG_LINES, description="Newest lines.")]
LeastLevel = Annotated[Level | None, Field(description="Only this bad or worse.")]


class ObservingTools:
    """Figures and log of llama-server."""

    def __init__(self, services: Callable[[], Services]) -> None:
        self._services = services

    def register(self, server: MCPServer[Services]) -> None:
        """Add the tools to the server."""
        server.tool(title="Metrics of the local model", annotations=READ_ONLY)(self.server_metrics)
        server.tool(title="Log of the local model", annotations=READ_ONLY)(self.server_log)

    async def server_metrics(self, model: ModelName = "") -> MetricsResult:
        """Show tokens, speed, load, memory, and how long turns took.

        For why it is slow.
        """
        whose = current_caller().whose_figures
        metrics = await self._services().observer.metrics(model or None, owner=whose)
        return tool_result(metrics_text(metrics), metrics)

    async def server_log(
        self, lines: Lines = 100, level: LeastLevel = None, model: ModelName = ""
    ) -> LogResult:
        """Show the end of llama-server's log, also after a stop or crash.

        When an error says too little.
        """
        log = await self._services().observer.log_end(lines, level, model or None)
        return tool_result(log_text(log), log)
