"""The tools that start, stop and show llama-server."""

from collections.abc import Callable
from typing import Annotated

from mcp.server.mcpserver import Context, MCPServer
from mcp.types import CallToolResult

from llama_mcp.errors import Words
from llama_mcp.llama_server.status import LaunchArguments, ServerConfig, ServerStatus
from llama_mcp.services import Services
from llama_mcp.surface.failures import with_next_step
from llama_mcp.surface.notifications.progress import RisingProgress
from llama_mcp.surface.results.discretion import discretion_of
from llama_mcp.surface.results.texts import config_text, status_text
from llama_mcp.surface.results.tool_results import tool_result
from llama_mcp.surface.tools.parameters import (
    DESTRUCTIVE,
    READ_ONLY,
    CtxSizeParameter,
    ExtraArgs,
    Force,
    GiveUpLoading,
    GpuLayersParameter,
    LlamaCppPath,
    ModelName,
    ModelPath,
    ModelToStop,
    ParallelParameter,
    PortParameter,
    Replace,
    WaitUntilBack,
)

StatusResult = Annotated[CallToolResult, ServerStatus]
ConfigResult = Annotated[CallToolResult, ServerConfig]


class LifecycleTools:
    """Starting, stopping and showing llama-server."""

    def __init__(self, services: Callable[[], Services], words: Callable[[], Words]) -> None:
        self._services = services
        self._words = words

    def register(self, server: MCPServer[Services]) -> None:
        """Add the tools to the server."""
        server.tool(title="Start the local model", annotations=DESTRUCTIVE)(self.start_llama_server)
        server.tool(title="Stop the local model", annotations=DESTRUCTIVE)(self.stop_llama_server)
        server.tool(title="Status of the local model", annotations=READ_ONLY)(self.status)
        server.tool(title="Settings of the local model", annotations=READ_ONLY)(self.get_config)

    async def start_llama_server(
        self,
        ctx: Context[Services],
        model_path: ModelPath = "",
        llama_cpp_path: LlamaCppPath = "",
        port: PortParameter = None,
        ctx_size: CtxSizeParameter = None,
        parallel: ParallelParameter = None,
        n_gpu_layers: GpuLayersParameter = None,
        extra_args: ExtraArgs = None,
        replace: Replace = False,
        wait_seconds: WaitUntilBack = None,
        timeout_seconds: GiveUpLoading = 600,
    ) -> StatusResult:
        """Start llama.cpp's llama-server, to choose its model or settings.

        A message starts it by itself; for what is left out the operator's settings (get_config)
        hold. Returns when the model is ready; loading that outlasts wait_seconds goes on, and
        status tells how far. With the same settings, returns the running server. Another model
        starts beside it where LLAMA_MCP_MAX_MODELS (1) allows. It runs until stop_llama_server, or
        unused for LLAMA_MCP_LINGER_SECONDS (300). Flags that open the machine, or have a parameter
        here, are refused.
        """
        arguments = LaunchArguments(
            llama_cpp_path=llama_cpp_path or None,
            model_path=model_path or None,
            port=port,
            ctx_size=ctx_size,
            parallel=parallel,
            n_gpu_layers=n_gpu_layers,
            extra_args=None if extra_args is None else tuple(extra_args),
        )
        services = self._services()
        status = await services.engines.start(
            arguments,
            replace=replace,
            wait_seconds=services.settings.patience(wait_seconds),
            timeout_seconds=timeout_seconds,
            progress=RisingProgress(ctx, discretion_of(services).text).report_seconds,
        )
        return self._status_result(status)

    async def stop_llama_server(
        self, force: Force = False, model: ModelToStop = ""
    ) -> StatusResult:
        """Stop llama-server and free its memory.

        Refused while others use it or a reply is being generated, unless force is set. Sessions
        are kept.
        """
        engines = self._services().engines
        return self._status_result(await engines.stop(force=force, model=model or None))

    async def status(self, model: ModelName = "") -> StatusResult:
        """Tell llama-server's state, model, address, memory, busy slots, and what else runs.

        After a crash also its cause and what to do.
        """
        return self._status_result(await self._services().observer.status(model or None))

    async def get_config(self, model: ModelName = "") -> ConfigResult:
        """Show the running server's settings, or those that a start would use."""
        config = await self._services().observer.config(model or None)
        told = discretion_of(self._services()).config(config)
        return tool_result(config_text(told), told)

    def _status_result(self, status: ServerStatus) -> CallToolResult:
        told = discretion_of(self._services()).status(with_next_step(status, self._words()))
        return tool_result(status_text(told), told)
