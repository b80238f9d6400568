"""The tools that start, stop and show llama-server."""

from collections.abc import Callable
from typing import Annotated

from mcp.server.mcpserver import Context, MCPServer
from mcp.types import CallToolResult
from pydantic import Field

from llama_mcp.llama_server.status import ServerConfig, ServerStatus
from llama_mcp.services import Services
from llama_mcp.surface.failures import with_next_step
from llama_mcp.surface.notifications.progress import RisingProgress
from llama_mcp.surface.notifications.subscriptions import Changes
from llama_mcp.surface.results.texts import config_text, status_text
from llama_mcp.surface.results.tool_results import tool_result
from llama_mcp.surface.tools import hints
from llama_mcp.surface.tools.parameters import OptionalText

# One hour: longer than any model takes from a slow disk.
MAX_TIMEOUT_SECONDS = 3600
MAX_WAIT_SECONDS = 600

StatusResult = Annotated[CallToolResult, ServerStatus]
ConfigResult = Annotated[CallToolResult, ServerConfig]


def register(
    server: MCPServer[Services], services: Callable[[], Services], changes: Changes
) -> None:
    """Add the tools of this file to the server."""

    @server.tool(
        title="Start the local model",
        annotations=hints.STARTS,
    )
    async def start_llama_server(
        ctx: Context[Services],
        model_path: Annotated[
            OptionalText,
            Field(description="GGUF file; a bare name is looked up in the model folders."),
        ] = "",
        llama_cpp_path: Annotated[
            OptionalText,
            Field(description="llama.cpp folder, llama-server executable, or `embedded`."),
        ] = "",
        port: Annotated[
            int | None, Field(ge=0, le=65535, description="TCP port; 0 picks a free one.")
        ] = None,
        ctx_size: Annotated[
            int | None, Field(ge=1, description="Context window of each conversation, in tokens.")
        ] = None,
        parallel: Annotated[
            int | None, Field(ge=1, description="Conversations that may generate at once.")
        ] = None,
        n_gpu_layers: Annotated[
            int | None, Field(ge=-1, description="-1 all, 0 CPU only; automatic when left out.")
        ] = None,
        extra_args: Annotated[
            list[str] | None,
            Field(description="More llama-server flags, each flag and value an item."),
        ] = None,
        replace: Annotated[
            bool, Field(description="Stop a llama-server that runs with other settings.")
        ] = False,
        wait_seconds: Annotated[
            float, Field(ge=0, le=MAX_WAIT_SECONDS, description="Wait so long for the model.")
        ] = 50,
        timeout_seconds: Annotated[
            float, Field(gt=0, le=MAX_TIMEOUT_SECONDS, description="Give up loading after this.")
        ] = 600,
    ) -> StatusResult:
        """Start llama.cpp's llama-server so that chat can be used.

        Needs no argument: what is left out comes from the operator's settings (get_config shows
        them). Returns when the model is ready; if loading outlasts wait_seconds the state is
        "starting", loading goes on, and status tells how far it is. Calling it again with the
        same settings returns the running server.
        """
        progress = RisingProgress(ctx)
        changes.note_server()
        status = await services().supervisor.start(
            {
                "llama_cpp_path": llama_cpp_path or None,
                "model_path": model_path or None,
                "port": port,
                "ctx_size": ctx_size,
                "parallel": parallel,
                "n_gpu_layers": n_gpu_layers,
                "extra_args": None if extra_args is None else tuple(extra_args),
            },
            replace=replace,
            wait_seconds=wait_seconds,
            timeout_seconds=timeout_seconds,
            progress=progress.report_seconds,
        )
        changes.note_server()
        return _status_result(status)

    @server.tool(
        title="Stop the local model",
        annotations=hints.ENDS,
    )
    async def stop_llama_server(
        force: Annotated[
            bool, Field(description="Stop it even while others use it or a reply is written.")
        ] = False,
    ) -> StatusResult:
        """Stop llama-server and free its memory.

        Refused while other clients use it or a reply is being generated, unless force is set.
        Sessions are kept. Stopping a stopped server changes nothing.
        """
        status = await services().supervisor.stop(force=force)
        changes.note_server()
        return _status_result(status)

    @server.tool(title="Status of the local model", annotations=hints.LOOKS)
    async def status() -> StatusResult:
        """Tell whether llama-server is stopped, starting, ready, stopping, crashed or unresponsive.

        Also gives model, address, memory, busy slots and, after a crash, its cause and what to do.
        """
        now = await services().observer.status()
        return _status_result(now)

    @server.tool(title="Settings of the local model", annotations=hints.LOOKS)
    async def get_config() -> ConfigResult:
        """Show the running server's settings, or those that start_llama_server would use now."""
        config = await services().observer.config()
        return tool_result(config_text(config), config)


def _status_result(status: ServerStatus) -> CallToolResult:
    told = with_next_step(status)
    return tool_result(status_text(told), told)
