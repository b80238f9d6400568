"""Several clients of several owners listen at once: each hears what is its own, in both eras."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ResourceListChangedNotification, ResourceUpdatedNotification

from llama_mcp.surface.resources.uris import SESSIONS, STATUS, session_uris
from tests.support.client_process import Connection, LlamaMCP
from tests.support.http_process import HttpServer, serving
from tests.support.processes import until

pytestmark = pytest.mark.filterwarnings("ignore:resources/.*subscribe is removed")


@pytest.fixture(scope="module")
async def desk(shared_llama_mcp: LlamaMCP, shared_folder: Path) -> AsyncIterator[HttpServer]:
    async with serving(shared_llama_mcp, shared_folder / "http", scope="operate") as server:
        yield server


@dataclass
class Listener:
    """A client that listens, and what it was told."""

    connection: Connection
    updated: list[str] = field(default_factory=list)
    list_changes: int = 0

    def take(self, message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            self.updated.append(str(message.params.uri))
        elif isinstance(message, ResourceListChangedNotification):
            self.list_changes += 1


@asynccontextmanager
async def listening(
    server: HttpServer, name: str, mode: str, *uris: str
) -> AsyncIterator[Listener]:
    async def take(message: Any) -> None:
        listener.take(message)

    async with (
        server.http(name) as http,
        Client(
            streamable_http_client(server.mcp, http_client=http), mode=mode, message_handler=take
        ) as client,
    ):
        listener = Listener(Connection(client))
        if mode == "legacy":
            for uri in uris:
                await client.subscribe_resource(uri)
            yield listener
            return
        async with (
            client.listen(
                resource_subscriptions=list(uris), resources_list_changed=True
            ) as subscription,
            anyio.create_task_group() as tasks,
        ):

            async def follow() -> None:
                async for event in subscription:
                    if hasattr(event, "uri"):
                        listener.updated.append(str(event.uri))
                    else:
                        listener.list_changes += 1

            tasks.start_soon(follow)
            yield listener
            tasks.cancel_scope.cancel()


async def say(listener: Listener, **arguments: Any) -> str:
    reply = await listener.connection.call("chat", message="hello", max_tokens=1, **arguments)
    return str(reply["session_id"])


async def test_only_the_owner_hears_of_a_session_and_all_its_clients_do(
    desk: HttpServer, era: str
) -> None:
    async with desk.connect("ann") as first:
        begun = await first.call("chat", message="hello", max_tokens=1)
    uri, _ = session_uris(begun["session_id"])
    async with (
        listening(desk, "ann", era, uri, SESSIONS) as ann,
        listening(desk, "ann", era, uri) as beside,
        listening(desk, "bob", era, uri, SESSIONS) as bob,
    ):
        await say(ann, session_id=begun["session_id"])
        await until(lambda: uri in ann.updated and SESSIONS in ann.updated, "the owner hears of it")
        await until(lambda: uri in beside.updated, "its other client does too")
        await ann.connection.call("delete_session", session_id=begun["session_id"])
        await until(lambda: ann.list_changes > 0, "its list is told of")
        # Whoever is told of its own change later has been told of nothing before.
        assert (bob.updated, bob.list_changes) == ([], 0)
        await say(bob)
        await until(lambda: bob.list_changes > 0 and bob.updated != [], "it hears of its own")
        assert set(bob.updated) == {SESSIONS}


async def test_what_is_nobody_s_all_hear_of(desk: HttpServer, era: str) -> None:
    async with (
        listening(desk, "ann", era, STATUS) as ann,
        listening(desk, "bob", era, STATUS) as bob,
    ):
        await say(ann)
        await ann.connection.call("stop_llama_server")
        await until(lambda: STATUS in ann.updated and STATUS in bob.updated, "both hear of it")


async def test_one_that_vanishes_takes_nothing_from_the_others(desk: HttpServer, era: str) -> None:
    async with listening(desk, "ann", era, SESSIONS) as stays:
        with anyio.CancelScope() as scope:
            async with listening(desk, "ann", era, SESSIONS):
                scope.cancel()
                await anyio.sleep_forever()
        await say(stays)
        await until(lambda: SESSIONS in stays.updated, "who stays hears of it")
