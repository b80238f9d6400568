"""What was read is kept when a ranking is cut off, and the next one goes on from there."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import anyio
import psutil
import pytest

from llama_mcp.llama_server.errors import CrashedError
from llama_mcp.llama_server.rank_server import RankServer, Vector
from llama_mcp.ranking.errors import RankTookTooLongError, StillLoadingForRankError
from llama_mcp.ranking.ranking import Ranking
from tests.fake_llama_server.install import install_fake, recorded_launches, set_faults
from tests.llama_server.conftest import process_of
from tests.ranking.conftest import Asked, RecordedServer, RecordedServers, Room
from tests.support.processes import PATIENCE_SECONDS

TEXTS = [f"{chr(97 + number % 26)} {'b ' * (number // 26)}" for number in range(100)]
# The query, and one request for texts.
REQUESTS = 2

Interrupt = Callable[[], Awaitable[None]]


class InterruptedServer(RecordedServer):
    """Answers the first requests; then something comes between."""

    def __init__(
        self, server: RankServer, asked: Asked, interrupt: Interrupt, answered: int
    ) -> None:
        super().__init__(server, asked)
        self._interrupt = interrupt
        self._answered = answered
        self._requests = 0

    async def when_ready(self, tell: object) -> "InterruptedServer":
        server = await self._server.when_ready(lambda _load: None)
        return InterruptedServer(server, self._asked, self._interrupt, self._answered)

    async def vectors_of(self, texts: Sequence[str]) -> Sequence[Vector]:
        self._requests += 1
        if self._requests > self._answered:
            await self._interrupt()
        return await super().vectors_of(texts)


class InterruptedServers(RecordedServers):
    interrupt: Interrupt
    answered = REQUESTS

    async def rank_server(
        self, *, model: str | None = None, wait_seconds: float = 0.0
    ) -> RankServer:
        server = await self.servers.rank_server(model=model)
        return InterruptedServer(server, self.asked, self.interrupt, self.answered)


@pytest.fixture
async def servers(room: Room) -> AsyncIterator[InterruptedServers]:
    """Make the room's llama-server one that is interrupted."""
    servers = InterruptedServers(room.process.supervisor, room.servers.asked)
    usual, room.servers = room.servers, servers
    yield servers
    room.servers = usual


async def test_one_whose_time_is_over_says_how_far_it_came_and_each_next_call_comes_further(
    room: Room, servers: InterruptedServers
) -> None:
    servers.interrupt = anyio.sleep_forever
    room.settings = room.settings.model_copy(update={"wait_seconds": 2.0})
    late: list[str] = []
    ranking: Ranking | None = None
    with anyio.fail_after(PATIENCE_SECONDS):
        while ranking is None:
            try:
                ranking = await room.rank("b b", TEXTS)
            except (RankTookTooLongError, StillLoadingForRankError) as error:
                late.append(str(error))
    assert ranking.ranked == len(TEXTS)
    assert any("LLAMA_MCP_WAIT_SECONDS" in text and "is kept" in text for text in late)


async def test_one_that_comes_no_further_in_its_time_is_not_told_to_be_called_again(
    room: Room, servers: InterruptedServers
) -> None:
    servers.interrupt = anyio.lowlevel.checkpoint
    await room.rank("b b", TEXTS[:10])
    servers.interrupt = anyio.sleep_forever
    room.settings = room.settings.model_copy(update={"wait_seconds": 2.0})
    longer = TEXTS[:10] + [f"{text} c" for text in TEXTS]
    servers.answered = 1  # the query alone
    with pytest.raises(RankTookTooLongError, match="not one more in this call") as refused:
        await room.rank("b b", longer)
    assert "Call again" not in str(refused.value) and "shorter texts" in str(refused.value)


async def test_one_that_its_client_cancels_keeps_what_was_read(
    room: Room, servers: InterruptedServers
) -> None:
    scope = anyio.CancelScope()

    async def cancel() -> None:
        scope.cancel()
        await anyio.sleep_forever()

    servers.interrupt = cancel
    with scope:
        await room.rank("b b", TEXTS)
    assert scope.cancelled_caught
    read = {text for batch in room.asked[1:] for text in batch}
    servers.interrupt = anyio.lowlevel.checkpoint
    room.asked.clear()
    assert (await room.rank("b b", TEXTS)).ranked == len(TEXTS)
    assert read and read.isdisjoint(text for batch in room.asked for text in batch)


async def test_a_crash_of_llama_server_is_told_and_the_next_call_starts_it_again(
    room: Room, servers: InterruptedServers
) -> None:
    async def kill() -> None:
        pid = (await room.process.supervisor.status()).pid
        assert pid is not None
        psutil.Process(pid).kill()

    servers.interrupt = kill
    with pytest.raises(CrashedError):
        await room.rank("b b", TEXTS)
    servers.interrupt = anyio.lowlevel.checkpoint
    ranking = await room.rank("b b", TEXTS)
    assert ranking.ranked == len(TEXTS)
    assert any("started again" in note for note in ranking.notes), ranking.notes


@pytest.mark.posix  # not tried with the batch file that is the stand-in on Windows
async def test_a_model_that_loads_longer_than_the_call_may_take_goes_on_loading(
    room: Room, fake_folder: Path
) -> None:
    room.settings = room.settings.model_copy(update={"wait_seconds": 0.0})
    usual = {"llama_cpp_path": str(install_fake(fake_folder)), "extra_args": ()}
    set_faults(fake_folder, load_held=True)
    data = [{"index": 0, "embedding": [1, 0]}]
    async with process_of(room.settings.model_copy(update=usual)) as process:
        room.servers = RecordedServers(process.supervisor)
        for _ in range(2):
            with pytest.raises(StillLoadingForRankError, match="loading goes on"):
                await room.rank("b", ["b"])
        assert len(recorded_launches(fake_folder)) == 1
        answers = {"/v1/embeddings": {"code": 200, "body": {"data": data}}}
        set_faults(fake_folder, answers=answers)
        room.settings = room.settings.model_copy(update={"wait_seconds": 600.0})
        assert (await room.rank("b", ["b"])).ranked == 1
        await process.supervisor.stop(force=True)
