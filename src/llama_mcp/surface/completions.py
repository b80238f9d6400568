"""Completion of what a person types: arguments of our prompts and of our resource templates."""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import anyio.to_thread
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import MCPServer
from mcp.server.session import ServerSession
from mcp.types import (
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
)

from llama_mcp.errors import LlamaMCPError
from llama_mcp.services import Services
from llama_mcp.surface.calling import current_caller
from llama_mcp.surface.client_folders import ClientFolders
from llama_mcp.surface.prompts.typed_files import is_typable, last_name
from llama_mcp.surface.resources.uris import MODEL_TEMPLATE, OF_MODEL

# The specification allows no more in one answer.
MAX_VALUES = 100

Reference = PromptReference | ResourceTemplateReference

_session: ContextVar[ServerSession | None] = ContextVar("session", default=None)


class Completions:
    """Completes session ids, names of models and names of files."""

    def __init__(self, services: Callable[[], Services], client_folders: ClientFolders) -> None:
        self._services = services
        self._client_folders = client_folders

    def register(self, server: MCPServer[Services]) -> None:
        """Add the completion to the server."""
        server.middleware.append(self.note_session)
        register = server.completion()  # type: ignore[no-untyped-call]  # the SDK's has no types
        register(self.complete)

    async def note_session(
        self, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        """Remember who asks, which the SDK does not tell a completion; let everything pass."""
        _session.set(ctx.session)
        return await call_next(ctx)

    async def complete(
        self, ref: Reference, argument: CompletionArgument, context: CompletionContext | None
    ) -> Completion | None:
        """Return the values that fit what is typed; None for an argument that is not ours."""
        found = await self._values(ref, argument.name, argument.value)
        if found is None:
            return None
        return Completion(values=list(found[:MAX_VALUES]), has_more=len(found) > MAX_VALUES)

    async def _values(self, ref: Reference, name: str, typed: str) -> Sequence[str] | None:
        """Return one value more than are shown, if there are more."""
        of = ref.name if isinstance(ref, PromptReference) else ref.uri
        is_session = name == "session_id"
        if is_session and (of == "go_on" or isinstance(ref, ResourceTemplateReference)):
            owner = current_caller().owner
            return await self._services().archive.complete_ids(typed, MAX_VALUES + 1, owner=owner)
        if (of, name) == (MODEL_TEMPLATE, "name"):
            return await self._services().known_models.names(typed)
        if of in OF_MODEL and name == "name":
            return await self._started_first(typed)
        if (of, name) == ("summarize_files", "files"):
            return await self._files(typed)
        return None

    async def _started_first(self, typed: str) -> list[str]:
        """Return names of models, those first that run or ran, as they are called then."""
        known = await self._services().known_models.names(typed)
        started = await self._services().supervisor.started_models()
        low = typed.casefold()
        return [*dict.fromkeys([*(each for each in started if low in each.casefold()), *known])]

    async def _files(self, typed: str) -> list[str]:
        session = _session.get()
        folders = await self._client_folders.of(session) if session else ()
        before, name = last_name(typed)
        caller = current_caller()

        def look() -> list[str]:
            from llama_mcp.files.completing import names_from

            border = self._services().file_border(folders, caller)
            return names_from(name, border, MAX_VALUES + 1, is_typable)

        try:
            # Abandoned when the client goes: a folder on a network may hang.
            names = await anyio.to_thread.run_sync(look, abandon_on_cancel=True)
        except LlamaMCPError:  # what is wrong, a call says
            return []
        return [before + each for each in names]
