"""An engine that somebody else runs, as ranking sees it."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from llama_mcp.llama_server.api.ranking import fetch_scores, fetch_vectors
from llama_mcp.llama_server.errors import CompletionError
from llama_mcp.llama_server.model_errors import RankFailedError
from llama_mcp.llama_server.rank_server import RankKind, Scores, Vector
from llama_mcp.llama_server.ready_server import ModelLoad, TellLoad
from llama_mcp.llama_server.remote.access import Access
from llama_mcp.llama_server.remote.counting import count_text
from llama_mcp.llama_server.remote.errors import (
    RemoteCannotRankError,
    RemoteRefusedError,
    RemoteRequestError,
)

# llama-server refuses inputs longer than one physical batch, which it does not tell: by default
# its smallest.
USUAL_INPUT_LIMIT = 512


@dataclass(frozen=True, slots=True)
class RemoteRankServer:
    """A RankServer (rank_server.py) that is somebody else's; load is always None."""

    access: Access
    kind: RankKind
    load: ModelLoad | None = None

    async def when_ready(self, tell: TellLoad) -> "RemoteRankServer":
        """Return it: it has answered."""
        return self

    @property
    def model(self) -> str:
        """The operator's name for it, else the name of its model."""
        return self.access.shown_model

    @property
    def identity(self) -> str:
        """What vectors depend on, as far as it is told: URL, model and build."""
        known = self.access.facts.identity if self.access.facts else ()
        return hashlib.sha256(repr((self.access.url, known)).encode()).hexdigest()[:32]

    @property
    def query_prefix(self) -> str:
        """Nothing: its model's file, which says that, is not seen."""
        return ""

    @property
    def text_prefix(self) -> str:
        """Nothing, likewise."""
        return ""

    @property
    def input_limit(self) -> int:
        """What the operator has set, else 512 or the window, if that is less."""
        window, source = self.access.window
        return window if source == "setting" else min(window, USUAL_INPUT_LIMIT)

    @property
    def notes(self) -> Sequence[str]:
        """Nothing: nobody has started it for this call."""
        return ()

    def note_use(self) -> None:
        """Do nothing: whoever runs it knows when to unload it."""

    async def count_tokens(self, text: str) -> int:
        """Return the tokens of an input, counted or estimated."""
        async with _failures():
            return await count_text(self.access, text)

    async def vectors_of(self, texts: Sequence[str]) -> Sequence[Vector]:
        """Return a vector for each text."""
        async with _failures():
            return await fetch_vectors(self.access, texts)

    async def scores_of(self, query: str, texts: Sequence[str]) -> Scores:
        """Return how well each text answers the query."""
        async with _failures():
            return await fetch_scores(self.access, query, texts)


async def rank_server_of(access: Access) -> RemoteRankServer:
    """Return what stands for the engine in a ranking; what its model makes is tried out.

    Raises:
        RemoteCannotRankError: it makes neither vectors nor scores.
        LlamaMCPError: it does not answer.
    """
    kind = access.target.ranks or access.ranks or await _kind_of(access)
    access.ranks = kind
    return RemoteRankServer(access, kind)


async def _kind_of(access: Access) -> RankKind:
    asked: tuple[RankKind, ...] = ("rerank", "embedding")
    problems = []
    for kind in asked:
        try:
            # Most that rank make vectors as well, and what they are for is scores.
            if await (_has_scores(access) if kind == "rerank" else _has_vectors(access)):
                return kind
        except (CompletionError, RemoteRequestError, RemoteRefusedError) as error:
            problems.append(error)
    cause = problems[-1] if problems else None
    raise RemoteCannotRankError(access.url, access.shown_model) from cause


async def _has_scores(access: Access) -> bool:
    # LM Studio answers 200 to what it does not have.
    return (await fetch_scores(access, "a", ["a"])).scores != [None]


async def _has_vectors(access: Access) -> bool:
    return bool(await fetch_vectors(access, ["a"]))


@asynccontextmanager
async def _failures() -> AsyncIterator[None]:
    """Turn what a chat would be told into what ranking is told."""
    try:
        yield
    except CompletionError as error:
        raise RankFailedError(error.problem) from error
    except RemoteRequestError as error:
        raise RankFailedError(error.problem) from error
