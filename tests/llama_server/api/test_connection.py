"""The wire under a streamed reply, against a peer that sends whatever a test says."""

import asyncio

import anyio
import pytest

from llama_mcp.llama_server.api import connection as under_test
from llama_mcp.llama_server.api.connections import Connections
from llama_mcp.llama_server.errors import LlamaServerLostError
from tests.llama_server.api.peer import HEAD, REQUEST, chunk, sends, talking_to, whole
from tests.support.processes import PATIENCE_SECONDS


@pytest.mark.parametrize(
    "pieces",
    [
        [HEAD, chunk(b"one "), chunk(b"two"), b"0\r\n\r\n"],
        [HEAD[:20], HEAD[20:] + b"7", b"\r\none t", b"wo\r", b"\n0\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\none two"],
        [b"HTTP/1.0 200 OK\r\n\r\none two"],
    ],
)
async def test_a_body_is_whole_however_it_is_cut_and_framed(pieces: list[bytes]) -> None:
    async with talking_to(sends(*pieces)) as connections:
        assert await whole(connections) == b"one two"


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([b""], "connection was closed"),
        ([HEAD[:20]], "connection was closed"),
        ([HEAD, b"ff\r\nhalf"], "connection was closed"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\none"], "connection was closed"),
        ([b"SSH-2.0-OpenSSH_9.2\r\n"], "not HTTP"),
        ([HEAD, b"zz\r\n"], "not HTTP"),
        ([b"HTTP/1.1 200 OK\r\n", *[b"X-More: %s\r\n" % (b"x" * 4000)] * 40], "no end"),
    ],
)
async def test_what_is_no_whole_answer_is_a_failure_that_says_why(
    pieces: list[bytes], expected: str
) -> None:
    async with talking_to(sends(*pieces)) as connections:
        with pytest.raises(LlamaServerLostError, match=expected):
            await whole(connections)


async def test_a_peer_is_held_back_while_nobody_reads_and_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(under_test, "MAX_UNREAD_BYTES", 1000)
    total, sent = 20_000_000, 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(HEAD)
        while sent < total:
            writer.write(chunk(b"x" * 10_000))
            await writer.drain()
            sent += 10_000
        writer.write(b"0\r\n\r\n")

    async with talking_to(flood) as connections:
        pieces = (await connections.ask(REQUEST)).pieces()
        received = len(await anext(pieces))
        # Buffers of the system and of both ends take some; then the peer waits.
        before = -1
        while before != sent:
            before = sent
            await anyio.wait_all_tasks_blocked()
        assert sent < total
        async for piece in pieces:
            received += len(piece)
    assert received == total


async def test_what_comes_in_quick_succession_is_taken_together_and_all_of_it() -> None:
    total = 20_000

    async def stream(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        for number in range(total):
            writer.write(chunk(b"%d\n" % number))
            await writer.drain()
            await anyio.lowlevel.checkpoint()
        writer.write(b"0\r\n\r\n")

    async with talking_to(stream) as connections:
        pieces = [piece async for piece in (await connections.ask(REQUEST)).pieces()]
    assert b"".join(pieces).split() == [b"%d" % number for number in range(total)]
    assert len(pieces) < total / 2


async def test_closing_a_connection_is_noticed_at_once_by_the_peer() -> None:
    is_gone = anyio.Event()

    async def talk_until_nobody_listens(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        try:
            while True:
                writer.write(chunk(b"more"))
                await writer.drain()
                await anyio.lowlevel.checkpoint()
        except ConnectionError:
            is_gone.set()

    async with talking_to(talk_until_nobody_listens) as connections:
        connection = await connections.ask(REQUEST)
        await anext(connection.pieces())
        connection.close()
        with anyio.fail_after(PATIENCE_SECONDS):
            await is_gone.wait()


async def test_closing_the_connections_breaks_off_what_is_under_way() -> None:
    has_begun, is_over = anyio.Event(), anyio.Event()

    async def begin_and_fall_silent(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + chunk(b"one"))
        await writer.drain()
        has_begun.set()
        await is_over.wait()

    async def read(connections: Connections) -> None:
        with pytest.raises(LlamaServerLostError, match="closed"):
            await whole(connections)

    async with talking_to(begin_and_fall_silent) as connections, anyio.create_task_group() as tasks:
        tasks.start_soon(read, connections)
        await has_begun.wait()
        connections.close()
        is_over.set()
