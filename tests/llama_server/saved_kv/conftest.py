"""A home with the tiny model on a real engine: sessions talk, and llama-server is restarted."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.keeper import kv_files
from llama_mcp.llama_server.ready_run import ReadyRun
from llama_mcp.llama_server.status import LaunchArguments
from llama_mcp.opening import open_services
from llama_mcp.services import Services
from llama_mcp.settings import Settings, inherited_environment
from llama_mcp.turns.chat_request import ChatRequest, Sampling
from llama_mcp.turns.replies.reply import ChatReply
from tests.support.processes import PATIENCE_SECONDS, until, until_all_leave

# A character is a token of the tiny model, and what is shorter than 512 is not saved.
LONG = "Tell me about all the rivers of the world, one after another, and their lengths. " * 10


@dataclass
class Home:
    """One llama-mcp process over a home of its own."""

    services: Services
    folder: Path

    async def start(self, **asked: Any) -> None:
        async def ignore(_seconds: float, _message: str) -> None:
            return

        await self.services.supervisor.start(
            LaunchArguments(**asked),
            replace=False,
            wait_seconds=PATIENCE_SECONDS,
            timeout_seconds=PATIENCE_SECONDS,
            progress=ignore,
        )

    async def stop(self, *, force: bool = False) -> None:
        await self.services.supervisor.stop(force=force)

    async def say(self, message: str, session_id: str | None = None) -> ChatReply:
        """Have a whole turn, always drawn the same way."""
        sampling = Sampling(temperature=0, max_tokens=8)
        request = ChatRequest(
            message=message, session_id=session_id, sampling=sampling, owner=LOCAL_OWNER
        )
        turn = await self.services.in_flight.take_turn(request)
        await until(lambda: turn.is_over, "the turn is over")
        assert turn.error is None
        return turn.snapshot()

    async def ready(self) -> ReadyRun:
        return await self.services.supervisor.ready_server()

    @property
    def kv(self) -> Path:
        return self.folder / kv_files.FOLDER

    def files(self) -> list[Path]:
        """All saved prompt caches, proved or not."""
        return sorted(self.kv.glob(f"*/*{kv_files.DATA}"))

    def proved(self) -> list[Path]:
        return [path for path in self.files() if kv_files.proof_of(str(path)) is not None]

    def keeper_log(self) -> str:
        """What the keepers of all runs have said."""
        logs = sorted((self.folder / "runs").glob("*/keeper.log"))
        return "".join(log.read_text() for log in logs)


@pytest.fixture
def open_home(tmp_path: Path, tiny_model: Path) -> Any:
    """Opens a home in which no llama-server runs; several processes may open the same."""
    settings = Settings(
        home=tmp_path / "home",
        llama_cpp_path="embedded",
        model_path=str(tiny_model),
        port=0,
        ctx_size=4096,
        parallel=2,
        linger_seconds=0,
        extra_args=("-t", "1"),
    )

    def open_with(**changes: Any) -> AbstractAsyncContextManager[Home]:
        return opened(settings.model_copy(update=changes))

    return open_with


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Home]:
    assert settings.home is not None
    async with open_services(settings, inherited_environment()) as services:
        yield Home(services, settings.home)
    # Its llama-server has no client any more, and lingers for no time.
    await until_all_leave(settings.home, "all processes have left")
    services.supervisor.attachment.reap_keepers()


@pytest.fixture
async def home(open_home: Any) -> AsyncIterator[Home]:
    async with open_home() as home:
        yield home
