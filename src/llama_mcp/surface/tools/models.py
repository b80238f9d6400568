"""The tools about models: which there are, and how to get one."""

from collections.abc import Callable
from typing import Annotated

from mcp.server.mcpserver import Context, MCPServer
from mcp.types import CallToolResult
from pydantic import Field

from llama_mcp.models.download.download import Download, download_line
from llama_mcp.observing.model_list import ModelList
from llama_mcp.services import Services
from llama_mcp.surface.notifications.progress import RisingProgress
from llama_mcp.surface.results.discretion import discretion_of
from llama_mcp.surface.results.downloads import download_text, told_download
from llama_mcp.surface.results.models import models_text
from llama_mcp.surface.results.tool_results import tool_result
from llama_mcp.surface.tools.parameters import FETCHING, READ_ONLY, OptionalText, WaitUntilBack

ModelsResult = Annotated[CallToolResult, ModelList]
DownloadResult = Annotated[CallToolResult, Download]

ModelQuery = Annotated[OptionalText, Field(description="Words of name, kind, quant; vision.")]
MostModels = Annotated[int, Field(ge=1, le=1000, description="Most rows.")]
HubModel = Annotated[str, Field(description="user/repo[:quant] or address.")]
EndDownload = Annotated[bool, Field(description="Stop, keep what came.")]


class ModelTools:
    """Finding and fetching models."""

    def __init__(self, services: Callable[[], Services]) -> None:
        self._services = services

    def register(self, server: MCPServer[Services]) -> None:
        """Add the tools to the server."""
        server.tool(title="List models", annotations=READ_ONLY)(self.list_models)
        server.tool(title="Get a model", annotations=FETCHING)(self.download_model)

    async def list_models(self, query: ModelQuery = "", limit: MostModels = 20) -> ModelsResult:
        """List the models of this machine, by the names that model and model_path take.

        What runs comes first, then what fits and can converse. needs_bytes is with its default
        settings.
        """
        services = self._services()
        models = discretion_of(services).models(await services.known_models.list(query, limit))
        return tool_result(models_text(models), models)

    async def download_model(
        self,
        ctx: Context[Services],
        model: HubModel,
        wait_seconds: WaitUntilBack = None,
        cancel: EndDownload = False,
    ) -> DownloadResult:
        """Download a model from Hugging Face; ask the user first.

        Without a quant, takes one that fits. Goes on after wait_seconds; call again to see or
        resume it.
        """
        services = self._services()
        progress = RisingProgress(ctx)

        async def report(download: Download) -> None:
            value = max(float(download.bytes.done), progress.last + 0.001)
            await progress.report(value, download.bytes.total, download_line(download))

        if cancel:
            download = await services.downloads.cancel(model)
        else:
            patience = services.settings.patience(wait_seconds)
            download = await services.downloads.fetch(model, wait_seconds=patience, report=report)
        told = told_download(download, services.settings.offered_tools)
        told = discretion_of(services).download(told)
        return tool_result(download_text(told), told)
