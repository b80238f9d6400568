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


def register(server: MCPServer[Services], services: Callable[[], Services]) -> None:
    """Add the completion of session ids to the server."""

    @server.completion()  # type: ignore[no-untyped-call, untyped-decorator]  # the SDK's has no types
    async def complete_session_id(
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion | None:
        if not isinstance(ref, ResourceTemplateReference) or argument.name != "session_id":
            return None
        found = await services().archive.complete_ids(argument.value, MAX_VALUES + 1)
        return Completion(values=list(found[:MAX_VALUES]), has_more=len(found) > MAX_VALUES)
