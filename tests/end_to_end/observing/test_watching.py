"""Who listens hears what happens to llama-server, whoever causes it, also while no tool runs."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from llama_mcp.surface.notifications.llama_server_watcher import (
    ServerSnapshot,
    changed,
    uris_by_model,
)
from llama_mcp.surface.resources.uris import FIGURES, LLAMA_SERVER, SESSIONS
from tests.fake_llama_server.install import install_fake
from tests.support.client_process import Connection, LlamaMCP
from tests.support.processes import PATIENCE_SECONDS
from tests.support.raw_client import RawClient, raw_client

STATUS = "llama://server/status"
METRICS = "llama://server/metrics"
LOG = "llama://server/log"
UPDATED = "notifications/resources/updated"


@pytest.fixture
def loading_slowly(llama_mcp: LlamaMCP, tmp_path: Path) -> LlamaMCP:
    fake = install_fake(tmp_path / "fake", load_seconds=1.0, token_delay_seconds=0.05)
    return llama_mcp.having(LLAMA_CPP_PATH=str(fake))


class LegacyListener:
    """A client of the initialize era that subscribes, then only listens.

    What it is told while it waits for an answer counts too, and is heard later.
    """

    def __init__(self, client: RawClient) -> None:
        self.client = client
        self.told: list[str] = []
        self._heard: Counter[str] = Counter()

    async def listen(self, *uris: str) -> None:
        for uri in uris:
            await self.client.answer(await self.client.ask("resources/subscribe", uri=uri))

    async def hears_of(self, uri: str) -> None:
        while self.told.count(uri) == self._heard[uri]:
            await self._next()
        self._heard[uri] += 1

    async def call(self, tool: str) -> dict[str, Any]:
        request = await self.client.ask("tools/call", name=tool, arguments={})
        while (message := await self._next()).get("id") != request:
            continue
        structure: dict[str, Any] = message["result"]["structuredContent"]
        return structure

    async def _next(self) -> dict[str, Any]:
        message = await self.client.next()
        if message.get("method") == UPDATED:
            self.told.append(message["params"]["uri"])
        return message

    async def state(self) -> str:
        state: str = (await self.call("status"))["state"]
        return state

    async def state_after(self, earlier: str) -> str:
        """Hear of changes until the state is another one: what was seen before may be told late."""
        await self.hears_of(STATUS)
        while (state := await self.state()) == earlier:
            await self.hears_of(STATUS)
        return state


@pytest.fixture
async def listener(loading_slowly: LlamaMCP) -> AsyncIterator[LegacyListener]:
    async with raw_client(loading_slowly) as client:
        await client.hello()
        yield LegacyListener(client)


@pytest.fixture
async def other(loading_slowly: LlamaMCP) -> AsyncIterator[Connection]:
    """Another client of the same llama-server, with a llama-mcp of its own."""
    async with loading_slowly.connect() as connection:
        yield connection


async def test_a_subscriber_hears_of_a_start_readiness_a_crash_and_a_stop_by_another_client(
    listener: LegacyListener, other: Connection
) -> None:
    await listener.listen(STATUS)
    started = await other.call("start_llama_server", wait_seconds=0)
    assert started["state"] == "starting"
    assert await listener.state_after("starting") == "ready"
    psutil.Process((await other.call("status"))["pid"]).kill()
    assert await listener.state_after("ready") == "crashed"
    await other.call("start_llama_server", wait_seconds=0)
    await listener.hears_of(STATUS)
    await other.call("stop_llama_server")
    while await listener.state() != "stopped":
        await listener.hears_of(STATUS)


@pytest.mark.slow
async def test_a_listener_of_2026_hears_the_same(
    loading_slowly: LlamaMCP, other: Connection
) -> None:
    async with (
        loading_slowly.connect("auto") as connection,
        connection.client.listen(resource_subscriptions=[STATUS]) as events,
    ):

        async def state() -> str:
            with anyio.fail_after(PATIENCE_SECONDS):
                async for event in events:
                    assert event.uri == STATUS  # type: ignore[union-attr]  # nothing else is asked for
                    break
            found: str = (await connection.call("status"))["state"]
            return found

        await other.call("start_llama_server", wait_seconds=0)
        while await state() != "ready":
            continue
        psutil.Process((await other.call("status"))["pid"]).kill()
        while (found := await state()) == "ready":
            continue  # what was seen before is told late
        assert found == "crashed"


async def test_a_subscriber_hears_of_figures_and_log_while_another_client_chats(
    listener: LegacyListener, other: Connection
) -> None:
    await other.call("start_llama_server")
    await listener.listen(METRICS, LOG)
    metrics = await listener.call("server_metrics")
    assert metrics["generated_tokens_total"] == 0
    async with talking(other):
        while not (metrics["generated_tokens_total"] and metrics.get("own_turns")):
            await listener.hears_of(METRICS)
            metrics = await listener.call("server_metrics")
    assert metrics["own_turns"][0]["turns"] > 0


@asynccontextmanager
async def talking(connection: Connection) -> AsyncIterator[None]:
    """Have one turn after another: what is new before somebody's first look is no change."""

    async def go_on() -> None:
        while True:
            await connection.call("chat", message="Hello", max_tokens=3)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(go_on)
        yield
        tasks.cancel_scope.cancel()


@pytest.mark.slow
async def test_a_subscriber_to_the_log_hears_of_new_lines(
    listener: LegacyListener, other: Connection
) -> None:
    await other.call("start_llama_server")
    await listener.listen(LOG)
    async with talking(other):
        await listener.hears_of(LOG)
    log = await listener.call("server_log")
    assert any("processing task" in line for line in log["lines"])


@pytest.mark.slow
async def test_who_does_not_listen_any_more_is_told_nothing(
    listener: LegacyListener, other: Connection
) -> None:
    await listener.listen(STATUS, METRICS)
    await listener.client.answer(await listener.client.ask("resources/unsubscribe", uri=STATUS))
    await other.call("start_llama_server", wait_seconds=0)
    await listener.hears_of(METRICS)
    while await listener.state() == "stopped":
        await listener.hears_of(METRICS)
    assert STATUS not in listener.told


async def test_a_subscriber_hears_of_sessions_that_another_process_makes_changes_and_deletes(
    loading_slowly: LlamaMCP, other: Connection
) -> None:
    async with raw_client(loading_slowly) as client:
        await client.hello()
        listener = LegacyListener(client)
        await listener.listen(SESSIONS)
        await other.call("start_llama_server")
        reply = await other.call("chat", message="Hello", max_tokens=2)
        await listener.hears_of(SESSIONS)
        transcript = f"{SESSIONS}/{reply['session_id']}"
        await listener.listen(transcript)
        await other.call("update_session", session_id=reply["session_id"], title="Another")
        await listener.hears_of(transcript)
        assert "Another" in (await client.call("list_sessions"))["content"][0]["text"]
        await other.call("delete_session", session_id=reply["session_id"])
        await listener.hears_of(transcript)
        assert (await client.call("list_sessions"))["structuredContent"]["total"] == 0


async def test_a_listener_to_the_list_of_resources_hears_of_a_session_of_another_process(
    loading_slowly: LlamaMCP, other: Connection
) -> None:
    async with (
        loading_slowly.connect("auto") as connection,
        connection.client.listen(resources_list_changed=True) as events,
    ):
        await other.call("start_llama_server")
        await other.call("chat", message="Hello", max_tokens=2)
        with anyio.fail_after(PATIENCE_SECONDS):
            async for _event in events:
                break
        listed = (await connection.client.list_resources()).resources
        assert any("/sessions/" in str(resource.uri) for resource in listed)


NOTHING = ServerSnapshot("run", "turns", "log")


@pytest.mark.parametrize("is_due", [True, False])
def test_a_new_state_is_told_at_once_and_of_every_resource(is_due: bool) -> None:
    assert changed(NOTHING, ServerSnapshot("other", "turns", "log"), is_due) == LLAMA_SERVER


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (NOTHING, ()),
        (ServerSnapshot("run", "more", "log"), FIGURES),
        (ServerSnapshot("run", "turns", "more"), ("llama://server/log",)),
        (ServerSnapshot("run", "more", "more"), (*FIGURES, "llama://server/log")),
    ],
)
def test_figures_and_log_are_told_when_it_is_time_and_only_what_changed(
    seen: ServerSnapshot, expected: tuple[str, ...]
) -> None:
    assert changed(NOTHING, seen, is_due=True) == expected
    assert changed(NOTHING, seen, is_due=False) == ()


def test_of_a_model_only_those_uris_are_told_that_somebody_listens_to() -> None:
    status, log, slots = (f"llama://models/a%2Fb/{what}" for what in ("status", "log", "slots"))
    heard = {status, log, slots, "llama://models/other", "llama://models", LOG, "nonsense"}
    models = uris_by_model(heard)
    assert models.keys() == {"a/b", "other"}
    told, now = NOTHING, ServerSnapshot("run", "more", "more")
    assert set(changed(told, now, True, models["a/b"])) == {slots, log}
    assert changed(told, now, True, models["other"]) == ()
    other = ServerSnapshot("other run", "turns", "log")
    assert set(changed(told, other, False, models["a/b"])) == {status, log, slots}
    assert changed(told, other, False, models["other"]) == ("llama://models/other",)
