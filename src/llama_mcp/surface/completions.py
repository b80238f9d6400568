"""Completion of what a person types: arguments of our prompts and of our resource templates."""

from collections.abc import Callable, Sequence

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
        found = await self._values(ref, argument.name, argument.value)
        if found is None:
            return None
        return Completion(values=list(found[:MAX_VALUES]), has_more=len(found) > MAX_VALUES)

    async def _values(
        self, ref: PromptReference | ResourceTemplateReference, name: str, typed: str
    ) -> Sequence[str] | None:
        """Return one value more than are shown, if there are more."""
        if name == "session_id" and (not isinstance(ref, PromptReference) or ref.name == "go_on"):
            return await self._services().archive.complete_ids(typed, MAX_VALUES + 1)
        if isinstance(ref, PromptReference):
            return None
        if ref.uri == MODEL_TEMPLATE and name == "name":
            return await self._services().known_models.names(typed)
        return None
