"""Turns over an archive that is real, and an engine by URL with a stand-in behind it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.llama_server.left_replies import LeftRunReplies
from llama_mcp.llama_server.ready_server import ANY_SERVER, WantedServer
from llama_mcp.llama_server.remote.engine import RemoteEngine
from llama_mcp.llama_server.remote.server import RemoteServer
from llama_mcp.llama_server.remote.target import RemoteTarget
from llama_mcp.opening import open_services
from llama_mcp.services import Services
from llama_mcp.settings import Settings, inherited_environment
from llama_mcp.turns.chat_request import ChatRequest
from llama_mcp.turns.in_flight import InFlight
from llama_mcp.turns.replies.reply import ChatReply
from tests.fake_openai_server.engine import FakeEngine
from tests.fake_openai_server.serving import serving
from tests.support.processes import until


@dataclass(frozen=True)
class RemoteServers:
    """One engine for every turn."""

    engine: RemoteEngine

    async def ready_server(self, wanted: WantedServer = ANY_SERVER) -> RemoteServer:
        return await self.engine.ready_server()


@dataclass
class RemoteRoom:
    """Turns, and the stand-in that answers them."""

    in_flight: InFlight
    fake: FakeEngine
    servers: RemoteServers
    services: Services

    async def complete(
        self, message: str, session_id: str | None = None, **request: Any
    ) -> ChatReply:
        turn = await self.in_flight.take_turn(
            ChatRequest(message=message, owner=LOCAL_OWNER, session_id=session_id, **request)
        )
        await until(lambda: turn.is_over, "the turn is over")
        assert turn.error is None, turn.error
        return turn.snapshot()


@asynccontextmanager
async def remote_room(folder: Path, fake: FakeEngine, **target: Any) -> AsyncIterator[RemoteRoom]:
    """Open it with a home in the folder; what is given beyond is the target's."""
    settings = Settings(home=folder / "home")
    async with serving(fake) as place:
        engine = RemoteEngine(RemoteTarget(url=place.url, **target), salt=str(folder))
        async with (
            open_services(settings, inherited_environment()) as services,
            anyio.create_task_group() as tasks,
        ):
            servers = RemoteServers(engine)
            in_flight = InFlight(
                servers,
                LeftRunReplies(services.supervisor, settings.runs_dir),
                services.archive,
                tasks,
                traces_content=False,
            )
            yield RemoteRoom(in_flight, fake, servers, services)
            await engine.aclose()
