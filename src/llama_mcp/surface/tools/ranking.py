"""The tool that finds what answers a query among texts and files."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import anyio.to_thread
from mcp.server.mcpserver import Context, MCPServer
from mcp.types import CallToolResult
from pydantic import BeforeValidator, Field

from llama_mcp.ranking.ranking import Ranking, RankRequest
from llama_mcp.services import Services
from llama_mcp.surface.calling import current_caller
from llama_mcp.surface.client_folders import ClientFolders
from llama_mcp.surface.notifications.progress import RisingProgress
from llama_mcp.surface.results.discretion import discretion_of
from llama_mcp.surface.results.ranking import ranking_text
from llama_mcp.surface.results.tool_results import tool_result
from llama_mcp.surface.tools.parameters import ADDITIVE, ModelThatRanks

if TYPE_CHECKING:
    from llama_mcp.ranking.passages import Passages

RankingResult = Annotated[CallToolResult, Ranking]


def _as_list(value: Any) -> Any:
    """Take a single text for a list of one."""
    return [value] if isinstance(value, str) else value


Query = Annotated[str, Field(description="What to find.")]
Texts = Annotated[list[str] | None, BeforeValidator(_as_list), Field(description="Texts to rank.")]
RankedFiles = Annotated[
    list[str] | None, BeforeValidator(_as_list), Field(description="Paths, globs, folders.")
]
Best = Annotated[int, Field(ge=1, le=1000, description="Most rows.")]


class RankingTools:
    """Ranking."""

    def __init__(self, services: Callable[[], Services], client_folders: ClientFolders) -> None:
        self._services = services
        self._client_folders = client_folders

    def register(self, server: MCPServer[Services]) -> None:
        """Add the tool to the server."""
        server.tool(title="Rank texts", annotations=ADDITIVE)(self.rank_texts)

    async def rank_texts(
        self,
        ctx: Context[Services],
        query: Query,
        texts: Texts = None,
        files: RankedFiles = None,
        top_n: Best = 10,
        model: ModelThatRanks = "",
    ) -> RankingResult:
        """Find texts, or places in files, that answer a query best.

        By an embedding or rerank model.
        """
        # Imported when it is first needed, as all rooms.
        from llama_mcp.ranking.ranker import ranker_of

        services = self._services()
        ranker = ranker_of(services.settings, services.supervisor)
        passages = await self._passages(ctx, texts or [], files or [])
        progress = RisingProgress(ctx)
        total = None if files else len(texts or [])

        async def tell(done: int) -> None:
            await progress.report(done, total, f"{done} read")

        request = RankRequest(query=query, top_n=top_n, model=model or None)
        ranking = await ranker.rank(request, passages, tell)
        notes = tuple(discretion_of(services).texts(ranking.notes))
        ranking = ranking.model_copy(update={"notes": notes})
        return tool_result(ranking_text(ranking), ranking)

    async def _passages(
        self, ctx: Context[Services], texts: list[str], files: list[str]
    ) -> "Passages":
        from llama_mcp.files.finding import find
        from llama_mcp.ranking.passages import Passages

        if not files:
            return Passages(texts)
        folders, caller = await self._client_folders.of(ctx.session), current_caller()

        def look() -> "Passages":
            border = self._services().file_border(folders, caller)
            found = find(files, border, strict=False)
            if not (found.files or texts):
                found = find(files, border)  # which says why there is none, and what to do
            return Passages(texts, found.files, border, list(found.left_out))

        return await anyio.to_thread.run_sync(look)
