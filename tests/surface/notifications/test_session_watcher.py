"""Subscribers hear of sessions once, whoever changes them, and nobody is watched for nothing."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio
import pytest
from mcp import Client
from mcp.server.mcpserver import MCPServer
from mcp.shared.subscriptions import ResourcesListChanged, ResourceUpdated

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.opening import open_services
from llama_mcp.services import Services
from llama_mcp.sessions.archive import Archive
from llama_mcp.settings import Settings
from llama_mcp.surface.notifications.session_watcher import SessionWatcher
from llama_mcp.surface.notifications.subscriptions import Subscriptions
from llama_mcp.surface.resources.uris import SESSIONS, session_uris
from tests.sessions.talk import have_session
from tests.support.processes import until


@dataclass
class Watched:
    """A session watcher at work, what it told, and the archive as another process has it open."""

    services: Services
    watcher: SessionWatcher
    client: Client
    elsewhere: Archive
    told: list[object]

    async def until_it_watches(self) -> None:
        """Wait until the watch has seen what there is: only what differs from that is a change."""
        await anyio.wait_all_tasks_blocked()
        # The archive does one thing after the other, and the watch has asked it before.
        await self.services.archive.list_sessions(owner=LOCAL_OWNER)

    def told_uris(self) -> list[str]:
        return [event.uri for event in self.told if isinstance(event, ResourceUpdated)]

    def has_told(self, uri: str) -> bool:
        return uri in self.told_uris()

    def list_changes(self) -> int:
        return sum(isinstance(event, ResourcesListChanged) for event in self.told)


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    settings, subscriptions = Settings(home=tmp_path), Subscriptions()
    told: list[object] = []
    subscriptions.bus.subscribe(told.append)
    server = MCPServer("test", subscriptions=subscriptions.bus, middleware=[subscriptions])
    async with AsyncExitStack() as stack:
        watcher = SessionWatcher(subscriptions, lambda: services)
        opening = open_services(settings, {}, on_session_change=watcher.note)
        services = await stack.enter_async_context(opening)
        client = await stack.enter_async_context(Client(server))
        elsewhere = Archive(settings.archive_path)
        stack.push_async_callback(elsewhere.close)
        tasks = await stack.enter_async_context(anyio.create_task_group())
        tasks.start_soon(subscriptions.tell)
        tasks.start_soon(watcher.watch)
        yield Watched(services, watcher, client, elsewhere, told)
        tasks.cancel_scope.cancel()


async def test_a_session_made_elsewhere_is_told_with_the_list(watched: Watched) -> None:
    async with watched.client.listen(resource_subscriptions=[SESSIONS]):
        await watched.until_it_watches()
        session_id = await have_session(watched.elsewhere, turns=1)
        await until(lambda: watched.list_changes() > 0, "the list is told of")
        await until(lambda: SESSIONS in watched.told_uris(), "the index is told of")
        assert set(session_uris(session_id)) <= set(watched.told_uris())


async def test_a_session_deleted_elsewhere_is_told_to_its_own_listeners(watched: Watched) -> None:
    session_id = await have_session(watched.elsewhere, turns=1)
    markdown, _ = session_uris(session_id)
    async with watched.client.listen(resource_subscriptions=[markdown]):
        await watched.until_it_watches()
        await watched.elsewhere.delete_session(session_id, owner=LOCAL_OWNER)
        await until(lambda: watched.list_changes() > 0, "the list is told of, after its end")
        assert markdown in watched.told_uris()
        assert watched.list_changes() == 1


async def test_a_change_of_this_process_is_told_once_also_while_it_is_watched(
    watched: Watched,
) -> None:
    archive = watched.services.archive
    session_id = await have_session(watched.elsewhere, turns=1)
    markdown, _ = session_uris(session_id)
    async with watched.client.listen(resource_subscriptions=[markdown]):
        await watched.until_it_watches()
        for count in (1, 2):
            await archive.update_session(session_id, title=f"Title {count}", owner=LOCAL_OWNER)
            await until(lambda: markdown in watched.told_uris(), "the change is told")
            other = await have_session(watched.elsewhere, turns=1)
            last = session_uris(other)[0]
            await until(partial(watched.has_told, last), "a later change is told")
            assert watched.told_uris().count(markdown) == 1
            watched.told.clear()


async def test_while_nobody_listens_a_change_of_this_process_is_told_and_no_archive_is_begun(
    watched: Watched,
) -> None:
    watched.watcher.note("k7m2-q9x4-tbhz", LOCAL_OWNER, True)
    await until(lambda: watched.list_changes() == 1, "the list is told of")
    assert not watched.services.settings.archive_path.exists()
