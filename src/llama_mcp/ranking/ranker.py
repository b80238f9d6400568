"""Texts ranked by how well they answer a query, within the time of a call."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing

import anyio
import anyio.to_thread

from llama_mcp.llama_server.rank_server import RankServers
from llama_mcp.ranking.errors import (
    NothingToRankError,
    RankTookTooLongError,
    StillLoadingForRankError,
)
from llama_mcp.ranking.measuring import Measure, measure_by
from llama_mcp.ranking.passages import Passage, Passages
from llama_mcp.ranking.ranking import Ranking, RankRequest
from llama_mcp.ranking.standings import Standings
from llama_mcp.ranking.use import in_use
from llama_mcp.ranking.vector_cache import KnownVectors, VectorCache
from llama_mcp.settings import Settings

# Is told how many texts and pieces are done.
Tell = Callable[[int], Awaitable[None]]
# Scored together: what is lost when the time is over in the middle of them.
TOGETHER = 32
# With less, no call would come further than the one before.
LEAST_SECONDS = 2.0
# Of what is kept, beside the runs.
_FOLDER = "vectors"


class Ranker:
    """Ranks texts and files.

    Args:
        servers: gives llama-servers.
        cache: what was made of texts before.
        wait_seconds: how long a call may take.
    """

    def __init__(self, servers: RankServers, cache: VectorCache, wait_seconds: float) -> None:
        self._servers = servers
        self._cache = cache
        self._wait_seconds = wait_seconds

    async def rank(self, request: RankRequest, passages: Passages, tell: Tell) -> Ranking:
        """Return the best of the passages.

        Args:
            request: what is asked.
            passages: what is ranked.
            tell: is told how far it is.

        Raises:
            NothingToRankError: there is no query, or no text.
            RankTookTooLongError: the time was over; what was read by then is kept.
            StillLoadingForRankError: the time was over before the model had loaded; it goes on.
            LlamaMCPError: there is no llama-server that ranks, or it fails.
        """
        if not request.query.strip():
            raise NothingToRankError("the query is empty")
        if not passages.has_any:
            raise NothingToRankError(passages.why_none)
        standings = Standings(request.top_n)
        with anyio.move_on_after(self._wait_seconds):
            return await self._rank(request, passages, standings, tell)
        if standings.server is None:
            raise StillLoadingForRankError(self._wait_seconds)
        raise RankTookTooLongError(self._wait_seconds, standings.done, standings.why_not_kept)

    async def _rank(
        self, request: RankRequest, passages: Passages, standings: Standings, tell: Tell
    ) -> Ranking:
        server = await self._servers.rank_server(
            model=request.model, wait_seconds=self._wait_seconds
        )
        was_loading = server.load is not None
        server = standings.server = await server.when_ready(lambda _load: None)
        known = await anyio.to_thread.run_sync(self._cache.of, server.identity)
        try:
            async with in_use(server):
                measure = await measure_by(server, known, request.query)
                await _measure(passages, measure, standings, tell)
        finally:
            await _save(known)
            standings.why_not_kept = known.why_not_kept
            if not (known.has_grown or was_loading):
                standings.why_not_kept = "not one more in this call"
        return standings.ranking(server, passages, is_query_cut=measure.is_query_cut)


def ranker_of(settings: Settings, servers: RankServers) -> Ranker:
    """Return what ranks as the operator's settings say.

    Raises:
        WrongSettingsError: one that it needs is wrong.
    """
    settings.check(("vector_cache_mb",))
    cache = VectorCache(lambda: settings.state_dir / _FOLDER, settings.vector_cache_mb * 2**20)
    return Ranker(servers, cache, max(LEAST_SECONDS, settings.wait_seconds))


async def _measure(passages: Passages, measure: Measure, standings: Standings, tell: Tell) -> None:
    async with aclosing(passages.read(measure.inputs)) as reading:
        async for group in _in_groups(reading):
            inputs = []
            for passage in group:
                text, was_cut = await measure.inputs.fit(passage.text)
                inputs.append(text)
                standings.cut += [passage.place] if was_cut else []
            standings.take(group, await measure.scores(inputs))
            await tell(standings.done)


async def _in_groups(passages: AsyncIterator[Passage]) -> AsyncIterator[list[Passage]]:
    group: list[Passage] = []
    async for passage in passages:
        group.append(passage)
        if len(group) == TOGETHER:
            yield group
            group = []
    if group:
        yield group


async def _save(known: KnownVectors) -> None:
    with anyio.CancelScope(shield=True):  # what was read in vain would be read again
        await anyio.to_thread.run_sync(known.save)
