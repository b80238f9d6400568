"""The bridge between the official client and a server of the plain SDK, in both eras."""

import json
import signal
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client.context import ClientRequestContext
from mcp.types import CallToolResult, ListRootsResult, Root
from pydantic import FileUrl

from tests.connect.conftest import PlainServer
from tests.support.client_process import LlamaMCP, Progress, text_of
from tests.support.processes import PATIENCE_SECONDS, until
from tests.support.raw_client import RawClient, raw_client

ERAS = ["legacy", "2026-07-28"]
# Above the limit for a request at which the SDK's own server stands by default.
BIG = 8 * 1024 * 1024


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


ROOTS = [Root(uri=FileUrl("file:///a")), Root(uri=FileUrl("file:///b"))]


async def greet(client: RawClient, era: str) -> None:
    await (client.hello() if era == "legacy" else client.discover())


def client_of(connected: LlamaMCP, era: str, **options: Any) -> Client:
    return Client(connected.parameters, mode=era, **options)


async def answers_until(client: RawClient, request_id: int) -> AsyncIterator[dict[str, Any]]:
    while True:
        message = await client.next()
        if "method" not in message:
            yield message
            if message["id"] == request_id:
                return


async def called(client: Client, tool: str, **arguments: Any) -> CallToolResult:
    result = await client.call_tool(tool, arguments)
    assert isinstance(result, CallToolResult)
    return result


async def test_a_tool_is_called_and_its_progress_comes_in_order_before_the_result(
    connected: LlamaMCP, era: str
) -> None:
    progress = Progress()
    async with client_of(connected, era) as client:
        assert (await called(client, "add", a=1, b=2)).structured_content == {"result": 3}
        await client.call_tool("count", {"to": 200}, progress_callback=progress.take)
    assert progress.messages == [f"step {step}" for step in range(1, 201)]


async def test_a_hundred_calls_at_once_each_get_their_own_answer(
    connected: LlamaMCP, era: str
) -> None:
    answers: dict[int, str] = {}
    async with client_of(connected, era) as client:

        async def ask(number: int) -> None:
            answers[number] = text_of(await called(client, "echo", text=f"text {number}"))

        async with anyio.create_task_group() as tasks:
            for number in range(100):
                tasks.start_soon(ask, number)
    assert answers == {number: f"text {number}" for number in range(100)}


async def test_eight_mebibytes_go_there_and_come_back(connected: LlamaMCP, era: str) -> None:
    text = "0123456789abcdef" * (BIG // 16)
    async with raw_client(connected) as client:
        await greet(client, era)
        result = await client.call("echo", text=text)
    assert result["content"][0]["text"] == text


async def test_what_a_client_cancels_is_cancelled_at_the_server_and_not_answered(
    server: PlainServer, connected: LlamaMCP, era: str
) -> None:
    async with raw_client(connected) as client:
        await greet(client, era)
        waiting = await client.ask("tools/call", name="wait", arguments={"name": "one"})
        await until((server.marks / "one.begun").exists, "the call began")
        await client.notify("notifications/cancelled", requestId=waiting)
        await until((server.marks / "one.cancelled").exists, "the call was cancelled")
        listed = await client.ask("tools/list")
        answered = [message["id"] async for message in answers_until(client, listed)]
    assert waiting not in answered


async def test_the_server_asks_the_client_for_its_roots_and_gets_them(connected: LlamaMCP) -> None:
    async def roots(_: ClientRequestContext) -> ListRootsResult:
        return ListRootsResult(roots=ROOTS)

    async with client_of(connected, "legacy", list_roots_callback=roots) as client:
        result = await called(client, "roots")
    assert result.structured_content == {"result": ["file:///a", "file:///b"]}


async def test_what_the_server_says_unasked_reaches_the_client(connected: LlamaMCP) -> None:
    heard = anyio.Event()

    async def hear(message: Any) -> None:
        if "list_changed" in str(getattr(message, "method", "")):
            heard.set()

    async with client_of(connected, "legacy", message_handler=hear) as client:
        with anyio.fail_after(PATIENCE_SECONDS):
            while not heard.is_set():  # until the stream on which it is said is open
                await called(client, "announce")


async def test_a_call_that_a_killed_server_leaves_is_answered_and_later_calls_are_served_again(
    server: PlainServer, connected: LlamaMCP, era: str
) -> None:
    async with raw_client(connected) as client:
        await greet(client, era)
        waiting = await client.ask("tools/call", name="wait", arguments={"name": "one"})
        await until((server.marks / "one.begun").exists, "the call began")
        server.kill()
        lost = (await client.answer(waiting))["error"]
        assert lost["code"] == -32000
        assert "broke off before the answer" in lost["message"]
        away = await client.answer(await client.ask("tools/list"))
        assert "cannot be reached: Connection refused" in away["error"]["message"]
        server.start()
        result = await client.call("add", a=2, b=3)
    assert result["structuredContent"] == {"result": 5}


async def test_answers_are_written_before_the_bridge_ends_with_its_input(
    connected: LlamaMCP, era: str
) -> None:
    async with raw_client(connected) as client:
        await greet(client, era)
        last = [
            await client.ask("tools/call", name="add", arguments={"a": 1, "b": number})
            for number in range(20)
        ]
        assert client.process.stdin is not None
        await client.process.stdin.aclose()
        seen = {(await client.next())["id"] for _ in last}
        assert await client.exit_code() == 0
    assert seen == set(last)


@pytest.mark.posix
async def test_it_ends_with_its_input_although_a_call_never_ends(
    server: PlainServer, connected: LlamaMCP, era: str
) -> None:
    async with raw_client(connected) as client:
        await greet(client, era)
        await client.ask("tools/call", name="wait", arguments={"name": "one"})
        await until((server.marks / "one.begun").exists, "the call began")
        assert client.process.stdin is not None
        await client.process.stdin.aclose()
        assert await client.exit_code() == 0


@pytest.mark.posix
async def test_it_ends_when_it_is_asked_to(connected: LlamaMCP) -> None:
    async with raw_client(connected) as client:
        await client.hello()
        client.process.send_signal(signal.SIGTERM)
        assert await client.exit_code() == 0


async def test_a_line_that_is_no_message_is_answered_and_the_next_is_served(
    connected: LlamaMCP,
) -> None:
    async with raw_client(connected) as client:
        await client.hello()
        for line in (b"no JSON", b"[]", b'{"id": 1}', json.dumps({"jsonrpc": "2.0"}).encode()):
            await client.write(line)
            assert (await client.next())["error"]["code"] in (-32700, -32600)
        assert (await client.call("add", a=1, b=1))["structuredContent"] == {"result": 2}
