"""Who wants to hear of what, in both eras, so that nothing is watched for nobody."""

from collections.abc import AsyncIterator

import anyio
import pytest
from mcp import Client
from mcp.server.mcpserver import MCPServer

from llama_mcp.surface.notifications.subscriptions import Changes
from tests.support.processes import PATIENCE_SECONDS, until

HEARD = ["llama://server/status"]
OTHER = ["llama://server/log"]


@pytest.fixture
def changes() -> Changes:
    return Changes()


@pytest.fixture
async def client(changes: Changes) -> AsyncIterator[Client]:
    """A client of 2026-07-28, in this process."""
    server = MCPServer("test", subscriptions=changes.bus, middleware=[changes])
    async with Client(server, mode="auto") as client:
        yield client


async def test_a_resource_is_heard_as_long_as_somebody_listens(
    changes: Changes, client: Client
) -> None:
    assert not changes.is_heard(HEARD)
    async with client.listen(resource_subscriptions=HEARD):
        assert changes.is_heard([*OTHER, *HEARD]) and not changes.is_heard(OTHER)
        async with client.listen(resource_subscriptions=[*OTHER, *HEARD]):
            assert changes.is_heard(OTHER)
        await until(lambda: not changes.is_heard(OTHER), "the second listener is gone")
        assert changes.is_heard(HEARD)
    await until(lambda: not changes.is_heard(HEARD), "the first listener is gone")


async def test_who_watches_waits_until_somebody_listens(changes: Changes, client: Client) -> None:
    woken: list[bool] = []

    async def wait() -> None:
        await changes.wait_until_heard(HEARD)
        woken.append(True)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        async with client.listen(resource_subscriptions=OTHER):
            await anyio.wait_all_tasks_blocked()
            assert not woken
        async with client.listen(resource_subscriptions=HEARD):
            await until(lambda: bool(woken), "the watcher is woken")


async def test_who_watches_looks_at_once_when_something_is_done_to_the_server(
    changes: Changes,
) -> None:
    for_ever = 1e9
    changes.note_server()
    with anyio.fail_after(PATIENCE_SECONDS):
        await changes.wait_for_server(for_ever)  # it was done just before
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(changes.wait_for_server, for_ever)
            await anyio.wait_all_tasks_blocked()
            changes.note_server()


async def test_what_is_noted_several_times_is_told_once(changes: Changes) -> None:
    told: list[object] = []
    changes.bus.subscribe(told.append)
    for _ in range(3):
        changes.note(HEARD)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(changes.tell)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    assert len(told) == 1
