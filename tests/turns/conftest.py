"""Turns over everything real: an archive, a supervisor, a keeper, and the stand-in that it runs."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.llama_server.status import LaunchArguments
from llama_mcp.opening import open_services
from llama_mcp.services import Services
from llama_mcp.sessions.archive import Archive
from llama_mcp.settings import Settings, inherited_environment
from llama_mcp.turns.chat_request import ChatRequest
from llama_mcp.turns.in_flight import InFlight
from llama_mcp.turns.turn import Turn
from tests.fake_llama_server.install import install_fake, received_requests, set_faults
from tests.fake_llama_server.running import CHAT
from tests.support.processes import PATIENCE_SECONDS, until, until_all_leave

SENTENCE = "The quick brown fox jumps over the lazy dog."
# What comes before the stand-in stops in the middle of a reply.
PART = "The quick brown"
HANGING = {"hang_at_token": 3}


@dataclass
class Room:
    """The turns of one process, with what their llama-server and their listeners have had."""

    services: Services
    starter: Services
    """Another process, which starts and stops llama-server."""
    fake_folder: Path
    announced: list[tuple[str, bool]] = field(default_factory=list)

    @property
    def in_flight(self) -> InFlight:
        return self.services.in_flight

    def set_faults(self, **faults: Any) -> None:
        set_faults(self.fake_folder, **faults)

    def prompts(self) -> list[str]:
        """The last message of every chat request that llama-server has received."""
        requests = received_requests(self.fake_folder)
        return [r["body"]["messages"][-1]["content"] for r in requests if r["path"] == CHAT]

    async def start_llama_server(self) -> None:
        async def ignore(_seconds: float, _message: str) -> None:
            return

        await self.starter.supervisor.start(
            LaunchArguments(),
            replace=False,
            wait_seconds=PATIENCE_SECONDS,
            timeout_seconds=PATIENCE_SECONDS,
            progress=ignore,
        )

    async def begin(self, message: str, session_id: str | None = None) -> Turn:
        request = ChatRequest(message=message, session_id=session_id, owner=LOCAL_OWNER)
        return await self.in_flight.take_turn(request)

    async def begin_hanging(self, message: str) -> Turn:
        """Begin a turn whose reply stops in the middle, and wait until it has."""
        self.set_faults(**HANGING)
        turn = await self.begin(message)
        await until(lambda: turn.reply.text == PART, "the first part of the reply is there")
        return turn

    async def complete(self, message: str, session_id: str | None = None) -> Turn:
        """Have a whole turn."""
        turn = await self.begin(message, session_id)
        await until(lambda: turn.is_over, "the turn is over")
        return turn


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def open_room(home: Path, fake_folder: Path, tiny_model: Path) -> Any:
    """Opens a room in which no llama-server runs yet."""
    fake = install_fake(fake_folder)
    settings = Settings(
        home=home,
        llama_cpp_path=str(fake),
        model_path=str(tiny_model),
        port=0,
        linger_seconds=0,
    )

    def open_with(**changes: Any) -> AbstractAsyncContextManager[Room]:
        return opened(settings.model_copy(update=changes), fake_folder)

    return open_with


@asynccontextmanager
async def opened(settings: Settings, fake_folder: Path) -> AsyncIterator[Room]:
    announced: list[tuple[str, bool]] = []

    def announce(session_id: str, _owner: str, is_new: bool) -> None:
        announced.append((session_id, is_new))

    environment = inherited_environment()
    async with open_services(settings, environment) as starter:
        processes = [starter]
        try:
            async with open_services(settings, environment, on_session_change=announce) as services:
                processes.append(services)
                yield Room(services, starter, fake_folder, announced)
        finally:
            await starter.supervisor.stop(force=True)
            await until_all_leave(fake_folder.parent, "all processes have left")
            for process in processes:  # the keepers are children of this process
                process.supervisor.attachment.reap_keepers()


@pytest.fixture
async def idle_room(open_room: Any) -> AsyncIterator[Room]:
    """A room in which no llama-server runs."""
    async with open_room() as room:
        yield room


@pytest.fixture
async def room(idle_room: Room) -> Room:
    """A room whose llama-server is ready."""
    await idle_room.start_llama_server()
    return idle_room


@pytest.fixture
async def other(home: Path) -> AsyncIterator[Archive]:
    """The same archive, as another process has it open."""
    archive = Archive(home / "sessions.db")
    yield archive
    await archive.close()
