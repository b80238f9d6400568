"""Completion of the one argument that our resource templates take: session_id."""

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

# The specification allows no more in one answer.
MAX_VALUES = 100


class Completions:
    """Completes session ids."""

    def __init__(self, services: Callable[[], Services]) -> None:
        self._services = services

    def register(self, server: MCPServer[Services]) -> None:
        """Add the completion to the server."""
        register = server.completion()  # type: ignore[no-untyped-call]  # the SDK's has no types
        register(self.complete_session_id)

    async def complete_session_id(
        self,
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion | None:
        """Return the ids that begin with what is typed; None for another argument."""
        if not isinstance(ref, ResourceTemplateReference) or argument.name != "session_id":
            return None
        found = await self._services().archive.complete_ids(argument.value, MAX_VALUES + 1)
        return Completion(values=list(found[:MAX_VALUES]), has_more=len(found) > MAX_VALUES)
