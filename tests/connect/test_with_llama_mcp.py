"""The bridge between a client and llama-mcp as a team has it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.connect.conftest import connecting, free_port
from tests.support.client_process import LlamaMCP, Progress
from tests.support.http_process import HttpServer, serving
from tests.support.raw_client import RawClient, raw_client

STATUS = "llama://server/status"


@pytest.fixture(params=["legacy", "2026-07-28"])
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def team(llama_mcp: LlamaMCP, tmp_path: Path) -> AsyncIterator[HttpServer]:
    async with serving(llama_mcp.having(CTX_SIZE="32768"), tmp_path / "http") as server:
        yield server


def bridge_of(server: HttpServer, person: str, folder: Path) -> LlamaMCP:
    token = folder / f"token-of-{person}"
    token.touch(0o600)
    token.write_text(server.tokens[person], encoding="utf-8")
    return connecting(server.url, folder, "--token-file", str(token))


async def test_a_conversation_goes_through_the_bridge_and_is_ones_own(
    team: HttpServer, tmp_path: Path, era: str
) -> None:
    progress = Progress()
    async with bridge_of(team, "ann", tmp_path).connect(era) as ann:
        reply = await ann.call("chat", progress, message="Hello.", max_tokens=50)
        found = await ann.call("list_sessions")
    assert progress.text == reply["reply"] and progress.rises
    assert [session["session_id"] for session in found["sessions"]] == [reply["session_id"]]
    async with bridge_of(team, "bob", tmp_path).connect(era) as bob:
        assert "sessions" not in await bob.call("list_sessions")
        refusal = await bob.refusal("read_session", session_id=reply["session_id"])
    assert refusal.startswith(f"There is no session '{reply['session_id']}'")


@pytest.mark.posix
async def test_a_reply_goes_on_when_its_bridge_is_killed(
    team: HttpServer, tmp_path: Path, era: str
) -> None:
    bridge = bridge_of(team, "ann", tmp_path)
    async with raw_client(bridge) as client:
        await (client.hello() if era == "legacy" else client.discover())
        first = await client.call("chat", message="Hello.", max_tokens=1)
        session_id = first["structuredContent"]["session_id"]
        asked = {"session_id": session_id, "message": "Count.", "max_tokens": 3000}
        await client.ask(
            "tools/call", name="chat", arguments=asked, _meta={"progressToken": "reply"}
        )
        while (await client.next()).get("method") != "notifications/progress":
            pass
        client.process.kill()
    async with bridge.connect(era) as ann:
        reply = await ann.call("wait_for_reply", session_id=session_id, wait_seconds=60)
        page = await ann.call("read_session", session_id=session_id)
    assert reply["status"] == "complete" and page["turns"][-1]["status"] == "complete"


async def test_after_a_restart_of_the_server_a_subscriber_hears_of_changes_as_before(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    at = ["--http", f"127.0.0.1:{free_port()}"]
    async with AsyncExitStack() as stack:
        async with serving(llama_mcp, tmp_path / "first", ["ann"], *at) as first:
            client = await stack.enter_async_context(raw_client(bridge_of(first, "ann", tmp_path)))
            await client.hello()
            await client.answer(await client.ask("resources/subscribe", uri=STATUS))
        # Another token, too, which the bridge reads from its file.
        again = await stack.enter_async_context(
            serving(llama_mcp, tmp_path / "again", ["ann"], *at)
        )
        bridge_of(again, "ann", tmp_path)
        # Nobody asks: the bridge finds by itself that the server is back.
        await told_of(client, STATUS)
        await client.ask("tools/call", name="start_llama_server", arguments={"wait_seconds": 60})
        await told_of(client, STATUS)


async def told_of(client: RawClient, uri: str) -> None:
    """Wait until the client is told that the resource has changed."""
    while True:
        message = await client.next()
        is_change = message.get("method") == "notifications/resources/updated"
        if is_change and message["params"]["uri"] == uri:
            return
