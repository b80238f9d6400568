"""The tools that start, stop and show llama-server."""

from collections.abc import Callable
from typing import Annotated

from mcp.server.mcpserver import Context, MCPServer
from mcp.types import CallToolResult

from llama_mcp.llama_server.status import LaunchArguments, ServerConfig, ServerStatus
from llama_mcp.services import Services
from llama_mcp.surface.failures import with_next_step
from llama_mcp.surface.notifications.progress import RisingProgress
from llama_mcp.surface.results.texts import config_text, status_text
from llama_mcp.surface.results.tool_results import tool_result
from llama_mcp.surface.tools.parameters import (
    DESTRUCTIVE,
    READ_ONLY,
    STARTING,
    CtxSizeParameter,
    ExtraArgs,
    Force,
    GiveUpLoading,
    GpuLayersParameter,
    LlamaCppPath,
    ModelPath,
    ParallelParameter,
    PortParameter,
    Replace,
    WaitForModel,
)

StatusResult = Annotated[CallToolResult, ServerStatus]
ConfigResult = Annotated[CallToolResult, ServerConfig]


class LifecycleTools:
    """Starting, stopping and showing llama-server."""

    def __init__(self, services: Callable[[], Services]) -> None:
        self._services = services

    def register(self, server: MCPServer[Services]) -> None:
        """Add the tools to the server."""
        server.tool(title="Start the local model", annotations=STARTING)(self.start_llama_server)
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
        wait_seconds: WaitForModel = 50,
        timeout_seconds: GiveUpLoading = 600,
    ) -> StatusResult:
        """Start llama.cpp's llama-server so that chat can be used.

        Needs no argument: what is left out comes from the operator's settings (get_config shows
        them). Returns when the model is ready; if loading outlasts wait_seconds the state is
        "starting", loading goes on, and status tells how far it is. Calling it again with the
        same settings returns the running server.
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
        status = await self._services().supervisor.start(
            arguments,
            replace=replace,
            wait_seconds=wait_seconds,
            timeout_seconds=timeout_seconds,
            progress=RisingProgress(ctx).report_seconds,
        )
        return _status_result(status)

    async def stop_llama_server(self, force: Force = False) -> StatusResult:
        """Stop llama-server and free its memory.

        Refused while other clients use it or a reply is being generated, unless force is set.
        Sessions are kept. Stopping a stopped server changes nothing.
        """
        status = await self._services().supervisor.stop(force=force)
        return _status_result(status)

    async def status(self) -> StatusResult:
        """Tell whether llama-server is stopped, starting, ready, stopping, crashed or unresponsive.

        Also gives model, address, memory, busy slots and, after a crash, its cause and what to do.
        """
        return _status_result(await self._services().observer.status())

    async def get_config(self) -> ConfigResult:
        """Show the running server's settings, or those that start_llama_server would use now."""
        config = await self._services().observer.config()
        return tool_result(config_text(config), config)


def _status_result(status: ServerStatus) -> CallToolResult:
    told = with_next_step(status)
    return tool_result(status_text(told), told)
