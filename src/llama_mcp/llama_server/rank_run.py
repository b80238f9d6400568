"""A run of ours as ranking sees it."""

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import anyio.to_thread

from llama_mcp.llama_server.api.ranking import fetch_scores, fetch_vectors
from llama_mcp.llama_server.api.token_count import count_tokens
from llama_mcp.llama_server.engine.model_flags import batch_limit
from llama_mcp.llama_server.errors import CompletionError
from llama_mcp.llama_server.model_errors import RankFailedError
from llama_mcp.llama_server.rank_server import RankKind, Scores, Vector
from llama_mcp.llama_server.ready_run import ReadyRun
from llama_mcp.llama_server.ready_server import ModelLoad, TellLoad
from llama_mcp.llama_server.runs.records import Launch
from llama_mcp.models.errors import HeaderUnreadableError
from llama_mcp.models.facts import ModelFacts
from llama_mcp.models.search_prefixes import SearchPrefixes, search_prefixes_of

# A ranking notes its use about once a second.
BETWEEN_NOTES_SECONDS = 3.0
FactsOf = Callable[[Path], ModelFacts]


@dataclass(frozen=True, slots=True)
class RankRun:
    """A RankServer that is a run of ours."""

    ready: ReadyRun
    kind: RankKind
    identity: str
    prefixes: SearchPrefixes

    @property
    def load(self) -> ModelLoad | None:
        """How far its model was when it was asked for; None of one that answers."""
        return self.ready.load

    async def when_ready(self, tell: TellLoad) -> "RankRun":
        """Return it once it answers."""
        promise = self.ready.promise
        ready = replace(await self.ready.when_ready(tell), promise=promise)
        if promise is not None:
            promise.keep(BETWEEN_NOTES_SECONDS)
        return replace(self, ready=ready)

    @property
    def model(self) -> str:
        """The model's name."""
        return self.ready.model

    @property
    def query_prefix(self) -> str:
        """What its model expects before a query."""
        return self.prefixes.query

    @property
    def text_prefix(self) -> str:
        """What its model expects before a text."""
        return self.prefixes.text

    @property
    def input_limit(self) -> int:
        """The window, or what the model was trained for, or one batch, if that is less."""
        launch = self.ready.run.launch
        trained = launch.about_model.context_length if launch.about_model else None
        limits = [self.ready.slot_ctx_size, trained, batch_limit(launch.argv)]
        return min(limit for limit in limits if limit is not None)

    @property
    def notes(self) -> Sequence[str]:
        """What the caller should know, such as that it was started."""
        return self.ready.notes

    def note_use(self) -> None:
        """Say that a ranking begins, goes on or ends."""
        self.ready.run.note_use()
        if self.ready.promise is not None:  # nothing else shows it
            self.ready.promise.keep(BETWEEN_NOTES_SECONDS)

    async def count_tokens(self, text: str) -> int:
        """Return the tokens of an input, those included that it adds itself."""
        async with self._failures():
            return await count_tokens(self.ready.client, text)

    async def vectors_of(self, texts: Sequence[str]) -> Sequence[Vector]:
        """Return a vector for each text."""
        async with self._failures():
            return await fetch_vectors(self.ready.client, texts)

    async def scores_of(self, query: str, texts: Sequence[str]) -> Scores:
        """Return how well each text answers the query."""
        async with self._failures():
            return await fetch_scores(self.ready.client, query, texts)

    @asynccontextmanager
    async def _failures(self) -> AsyncIterator[None]:
        """Turn what a chat would be told into what ranking is told."""
        try:
            yield
        except CompletionError as error:
            cause = await self.ready.explain_loss(error)
            if isinstance(cause, CompletionError):
                cause = RankFailedError(cause.problem)
            raise cause from error


async def rank_run_of(ready: ReadyRun, facts_of: FactsOf) -> RankRun:
    """Return a run whose model ranks.

    Args:
        ready: the run, which may still load.
        facts_of: reads a header.
    """
    launch = ready.run.launch
    ranks = launch.about_model is not None and launch.about_model.kind == "rerank"
    kind: RankKind = "rerank" if ranks else "embedding"

    def look() -> tuple[str, SearchPrefixes]:
        return _identity(launch), _prefixes(Path(launch.config.model_path or ""), facts_of)

    identity, prefixes = await anyio.to_thread.run_sync(look)
    return RankRun(ready, kind, identity, prefixes)


def _identity(launch: Launch) -> str:
    """Name what vectors depend on: the file that was loaded, and flags that may change them."""
    path = Path(launch.config.model_path or "").resolve()
    stamp: list[float] = [0, launch.at]
    with suppress(OSError):  # it was deleted while it runs
        status = path.stat()
        # A file put in its place since then is not what makes the vectors.
        if max(status.st_mtime, status.st_ctime) < launch.at:
            stamp = [status.st_size, status.st_mtime_ns]
    whole = json.dumps([str(path), stamp, launch.config.extra_args])
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _prefixes(path: Path, facts_of: FactsOf) -> SearchPrefixes:
    try:
        return search_prefixes_of(facts_of(path))
    except HeaderUnreadableError:
        return SearchPrefixes()
