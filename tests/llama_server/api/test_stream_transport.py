"""The wire under a streamed reply, against a peer that sends whatever a test says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import httpx2
import pytest

from llama_mcp.llama_server.api import stream_transport
from llama_mcp.llama_server.api.stream_transport import StreamTransport
from tests.support.processes import PATIENCE_SECONDS

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
Peer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def talking_to(answer: Peer) -> AsyncIterator[httpx2.AsyncClient]:
    """Give a client of a peer that reads a request's head and then does as it is told."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            await answer(writer)
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with (
        server,
        httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", transport=StreamTransport(5), timeout=None
        ) as client,
    ):
        yield client


def sends(*pieces: bytes) -> Peer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await anyio.lowlevel.checkpoint()

    return answer


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


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
    async with talking_to(sends(*pieces)) as client:
        assert (await client.get("/")).content == b"one two"


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
    async with talking_to(sends(*pieces)) as client:
        with pytest.raises(httpx2.TransportError, match=expected):
            await client.get("/")


async def test_nobody_listening_is_a_failure_to_connect() -> None:
    async with talking_to(sends()) as client:
        nowhere = client.base_url
    async with httpx2.AsyncClient(base_url=nowhere, transport=StreamTransport(5)) as client:
        with pytest.raises(httpx2.ConnectError):
            await client.get("/")


async def test_a_peer_is_held_back_while_nobody_reads_and_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream_transport, "MAX_UNREAD_BYTES", 1000)
    total, sent = 20_000_000, 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(HEAD)
        while sent < total:
            writer.write(chunk(b"x" * 10_000))
            await writer.drain()
            sent += 10_000
        writer.write(b"0\r\n\r\n")

    async with talking_to(flood) as client, client.stream("GET", "/") as response:
        pieces = response.aiter_raw()
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


async def test_leaving_a_stream_closes_its_connection_at_once() -> None:
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

    async with talking_to(talk_until_nobody_listens) as client:
        async with client.stream("GET", "/") as response:
            await anext(response.aiter_raw())
        with anyio.fail_after(PATIENCE_SECONDS):
            await is_gone.wait()


async def test_closing_the_client_breaks_off_what_is_under_way() -> None:
    has_begun, is_over = anyio.Event(), anyio.Event()

    async def begin_and_fall_silent(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + chunk(b"one"))
        await writer.drain()
        has_begun.set()
        await is_over.wait()

    async def read(client: httpx2.AsyncClient) -> None:
        with pytest.raises(httpx2.ReadError, match="closed"):
            await client.get("/")

    async with talking_to(begin_and_fall_silent) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(read, client)
        await has_begun.wait()
        await client.aclose()
        is_over.set()
