"""The resources that show which models there are."""

from collections.abc import Callable

from mcp.server.mcpserver import MCPServer
from mcp.types import Annotations

from llama_mcp.services import Services
from llama_mcp.surface.resources.uris import MODEL_TEMPLATE, MODELS
from llama_mcp.surface.results.discretion import discretion_of
from llama_mcp.surface.results.tool_results import JSON, json_text

MODELS_IN_INDEX = 100
FOR_ALL = Annotations(audience=["user", "assistant"], priority=0.6)


class ModelResources:
    """The models, and each of them."""

    def __init__(self, services: Callable[[], Services]) -> None:
        self._services = services

    def register(self, server: MCPServer[Services]) -> None:
        """Add the resources to the server."""
        for uri, name, title, read in (
            (MODELS, "models", "Models", self.index),
            (MODEL_TEMPLATE, "model", "Model", self.model),
        ):
            server.resource(uri, name=name, title=title, mime_type=JSON, annotations=FOR_ALL)(read)

    async def index(self) -> str:
        """The models of this machine, the best first."""
        services = self._services()
        models = await services.known_models.list("", MODELS_IN_INDEX)
        return json_text(discretion_of(services).models(models))

    async def model(self, name: str) -> str:
        """A model: what is known of it, and its files."""
        services = self._services()
        return json_text(discretion_of(services).details(await services.known_models.details(name)))
