"""Completion of the arguments that our resource templates take: session_id, and a model's name."""

from collections.abc import Callable

from mcp.server.mcpserver import MCPServer
from mcp.types import (
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
)

from llama_mcp.services import Services
from llama_mcp.surface.resources.uris import MODEL_TEMPLATE

# The specification allows no more in one answer.
MAX_VALUES = 100


class Completions:
    """Completes session ids and names of models."""

    def __init__(self, services: Callable[[], Services]) -> None:
        self._services = services

    def register(self, server: MCPServer[Services]) -> None:
        """Add the completion to the server."""
        register = server.completion()  # type: ignore[no-untyped-call]  # the SDK's has no types
        register(self.complete)

    async def complete(
        self,
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion | None:
        """Return the values that fit what is typed; None for an argument that is not ours."""
        if not isinstance(ref, ResourceTemplateReference):
            return None
        if argument.name == "session_id":
            found = await self._services().archive.complete_ids(argument.value, MAX_VALUES + 1)
        elif ref.uri == MODEL_TEMPLATE and argument.name == "name":
            found = await self._services().known_models.names(argument.value)
        else:
            return None
        return Completion(values=list(found[:MAX_VALUES]), has_more=len(found) > MAX_VALUES)
