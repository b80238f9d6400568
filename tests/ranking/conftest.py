"""A process that ranks: a real engine with tiny models, and a record of what it is asked for."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from llama_mcp.files.border import FileBorder, border_of
from llama_mcp.files.finding import find
from llama_mcp.llama_server.rank_server import RankServer, RankServers, Scores, Vector
from llama_mcp.ranking.passages import Passages
from llama_mcp.ranking.ranker import Ranker, ranker_of
from llama_mcp.ranking.ranking import Ranking, RankRequest
from llama_mcp.settings import Settings
from tests.llama_server.conftest import Process, process_of
from tests.support.tiny_bert import write_tiny_bert

CONTEXT = 256


@pytest.fixture(scope="session")
def rank_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with `embeds` and `ranks`, whose numbers mean nothing."""
    folder = tmp_path_factory.mktemp("rank-models")
    write_tiny_bert(folder / "embeds.gguf", context_length=CONTEXT)
    write_tiny_bert(folder / "ranks.gguf", context_length=CONTEXT, ranks=True)
    return folder


@pytest.fixture
def settings(tmp_path: Path, rank_models: Path) -> Settings:
    return Settings(
        home=tmp_path / "home",
        llama_cpp_path="embedded",
        model_dirs=(rank_models,),
        model_places=(),
        port=0,
        parallel=2,
        extra_args=("-t", "1"),
        linger_seconds=0,
        wait_seconds=600,
    )


@pytest.fixture
async def process(settings: Settings) -> AsyncIterator[Process]:
    async with process_of(settings) as process:
        yield process


@dataclass
class Asked:
    """What a llama-server was asked for."""

    texts: list[list[str]] = field(default_factory=list)
    """Of each request for vectors or scores."""
    counts: int = 0


class RecordedServer:
    """A llama-server as it is, with a record of what it is asked for."""

    def __init__(self, server: RankServer, asked: Asked) -> None:
        self._server = server
        self._asked = asked

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    async def when_ready(self, tell: Any) -> "RecordedServer":
        return RecordedServer(await self._server.when_ready(tell), self._asked)

    async def count_tokens(self, text: str) -> int:
        self._asked.counts += 1
        return await self._server.count_tokens(text)

    async def vectors_of(self, texts: Sequence[str]) -> Sequence[Vector]:
        self._asked.texts.append(list(texts))
        return await self._server.vectors_of(texts)

    async def scores_of(self, query: str, texts: Sequence[str]) -> Scores:
        self._asked.texts.append(list(texts))
        return await self._server.scores_of(query, texts)


@dataclass
class RecordedServers:
    servers: RankServers
    asked: Asked = field(default_factory=Asked)

    async def rank_server(
        self, *, model: str | None = None, wait_seconds: float = 0.0
    ) -> RankServer:
        server = await self.servers.rank_server(model=model, wait_seconds=wait_seconds)
        return RecordedServer(server, self.asked)


@dataclass
class Room:
    """What ranks in a test."""

    process: Process
    settings: Settings
    servers: RecordedServers

    @property
    def asked(self) -> list[list[str]]:
        return self.servers.asked.texts

    @property
    def ranker(self) -> Ranker:
        return ranker_of(self.settings, self.servers)

    async def rank(
        self, query: str, texts: Sequence[str] = (), model: str = "embeds", **more: Any
    ) -> Ranking:
        passages = more.pop("passages", None) or Passages(texts)
        request = RankRequest(query=query, top_n=more.pop("top_n", 10), model=model)
        return await self.ranker.rank(request, passages, ignore)

    def files(self, *names: str, base: Path) -> Passages:
        border = self.border(base)
        return Passages((), find(names, border).files, border)

    def border(self, base: Path) -> FileBorder:
        return border_of(self.settings, [base])


async def ignore(_done: int) -> None:
    return


@pytest.fixture
def room(process: Process, settings: Settings) -> Room:
    return Room(process, settings, RecordedServers(process.supervisor))
