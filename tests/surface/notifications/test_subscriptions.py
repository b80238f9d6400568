"""Who wants to hear of what, in both eras, and that each of them is told."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourceUpdated
from mcp.types import ResourceListChangedNotification, ResourceUpdatedNotification

from llama_mcp.surface.notifications.subscriptions import MOST_URIS, Subscriptions
from llama_mcp.surface.resources.uris import LOG, SESSIONS, STATUS
from tests.support.processes import until

# The SDK's client warns that the era is over; its clients are not.
pytestmark = pytest.mark.filterwarnings("ignore:resources/.*subscribe is removed")


@pytest.fixture
async def subscriptions() -> AsyncIterator[Subscriptions]:
    """Subscriptions whose clients are told."""
    subscriptions = Subscriptions()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(subscriptions.tell)
        yield subscriptions
        tasks.cancel_scope.cancel()


@pytest.fixture
def server(subscriptions: Subscriptions) -> MCPServer[Any]:
    return MCPServer("test", subscriptions=subscriptions.bus, middleware=[subscriptions])


@dataclass
class Listener:
    """A client of the initialize era, and what it was told."""

    client: Client
    updated: list[str] = field(default_factory=list)
    list_changes: int = 0


@asynccontextmanager
async def listening(server: MCPServer[Any], *uris: str) -> AsyncIterator[Listener]:
    async def take(message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            listener.updated.append(str(message.params.uri))
        elif isinstance(message, ResourceListChangedNotification):
            listener.list_changes += 1

    async with Client(server, mode="legacy", message_handler=take) as client:
        listener = Listener(client)
        for uri in uris:
            await client.subscribe_resource(uri)
        yield listener


async def test_every_subscriber_of_the_initialize_era_hears_of_a_change(
    server: MCPServer[Any], subscriptions: Subscriptions
) -> None:
    async with AsyncExitStack() as stack:
        both = [await stack.enter_async_context(listening(server, STATUS)) for _ in range(2)]
        other = await stack.enter_async_context(listening(server, LOG))
        subscriptions.note([STATUS], has_list_changed=True)
        everybody = [*both, other]
        await until(lambda: all(each.list_changes == 1 for each in everybody), "all hear of it")
        assert [each.updated for each in everybody] == [[STATUS], [STATUS], []]


def has_heard(listener: Listener, times: int) -> bool:
    return len(listener.updated) == times


async def test_one_that_unsubscribes_or_leaves_takes_nothing_from_the_others(
    server: MCPServer[Any], subscriptions: Subscriptions
) -> None:
    async with listening(server, STATUS) as stays, listening(server, STATUS) as stops:
        async with listening(server, STATUS, LOG):
            assert subscriptions.heard() == {STATUS, LOG}
        await stops.client.unsubscribe_resource(STATUS)
        for count in (1, 2):
            subscriptions.note([STATUS, LOG])
            await until(partial(has_heard, stays, count), "the one that stays hears of it")
        assert stops.updated == []
        assert subscriptions.heard() == {STATUS}


async def test_a_resource_is_heard_as_long_as_somebody_listens(
    server: MCPServer[Any], subscriptions: Subscriptions
) -> None:
    async with Client(server, mode="auto") as client:
        assert subscriptions.heard() == set()
        async with client.listen(resource_subscriptions=[STATUS]):
            assert subscriptions.heard() == {STATUS}
            async with client.listen(resource_subscriptions=[LOG, STATUS]):
                assert subscriptions.heard() == {LOG, STATUS}
            await until(lambda: subscriptions.heard() == {STATUS}, "the second listener is gone")
        await until(lambda: not subscriptions.heard(), "the first listener is gone")


async def test_nobody_listens_to_more_than_can_be_watched_and_nothing_is_left_of_who_did(
    server: MCPServer[Any], subscriptions: Subscriptions
) -> None:
    uris = [f"llama://models/{number}/status" for number in range(MOST_URIS + 1)]
    async with Client(server, mode="auto") as client:
        with pytest.raises(MCPError, match="too many to listen to"):
            async with client.listen(resource_subscriptions=uris):
                pass
        async with client.listen(resource_subscriptions=uris[1:]):
            assert len(subscriptions.heard()) == MOST_URIS
        await until(lambda: not subscriptions.heard(), "it listens no more")
    assert not subscriptions._listened, "or it grows for ever"
    async with listening(server, *uris[1:], uris[1]) as legacy:
        with pytest.raises(MCPError, match="too many to listen to"):
            await legacy.client.subscribe_resource(uris[0])
        await legacy.client.unsubscribe_resource(uris[1])
        await legacy.client.subscribe_resource(uris[0])


async def test_one_that_listens_to_the_list_of_resources_hears_of_sessions(
    server: MCPServer[Any], subscriptions: Subscriptions
) -> None:
    async with (
        Client(server, mode="auto") as client,
        client.listen(resources_list_changed=True),
    ):
        assert subscriptions.heard() == {SESSIONS}


async def test_every_watcher_is_woken_when_somebody_begins_to_listen(
    server: MCPServer[Any], subscriptions: Subscriptions
) -> None:
    woken: list[int] = []

    async def wait(number: int) -> None:
        await subscriptions.wait_for_listener()
        woken.append(number)

    async with Client(server, mode="auto") as client, anyio.create_task_group() as tasks:
        for number in range(2):
            tasks.start_soon(wait, number)
        await anyio.wait_all_tasks_blocked()
        async with client.listen(resource_subscriptions=[STATUS]):
            await until(lambda: sorted(woken) == [0, 1], "both are woken")


async def test_what_is_noted_several_times_is_told_once() -> None:
    subscriptions, told = Subscriptions(), list[object]()
    subscriptions.bus.subscribe(told.append)
    for _ in range(3):
        subscriptions.note([STATUS])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(subscriptions.tell)
        await until(lambda: told != [], "it is told")
        subscriptions.note([LOG])
        await until(lambda: len(told) > 1, "what is noted later is told later")
        tasks.cancel_scope.cancel()
    assert told == [ResourceUpdated(uri=STATUS), ResourceUpdated(uri=LOG)]


async def test_what_is_noted_is_told_a_little_later_and_nothing_once_the_end_has_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A turn notes that its session is there, and its first text is not to wait behind that."""
    monkeypatch.setattr("llama_mcp.surface.notifications.subscriptions.LATER_SECONDS", 3600)
    subscriptions, told = Subscriptions(), list[object]()
    subscriptions.bus.subscribe(told.append)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(subscriptions.tell)
        subscriptions.note([STATUS])
        await anyio.wait_all_tasks_blocked()
        assert told == []
        await subscriptions.tell_now()
        assert told == [ResourceUpdated(uri=STATUS)]
        subscriptions.end()
        subscriptions.note([LOG], has_list_changed=True)
        await subscriptions.tell_now()
        assert told == [ResourceUpdated(uri=STATUS)]
        tasks.cancel_scope.cancel()
