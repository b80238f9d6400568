"""Who sends slowly, or without end, holds up nobody: its connection is closed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import anyio
import pytest
from anyio.abc import SocketStream

from tests.support.http_process import HttpServer
from tests.support.processes import PATIENCE_SECONDS


@asynccontextmanager
async def connected(server: HttpServer) -> AsyncIterator[SocketStream]:
    host, port = server.url.removeprefix("http://").split(":")
    async with await anyio.connect_tcp(host, int(port)) as stream:
        with anyio.fail_after(PATIENCE_SECONDS):
            yield stream


async def all_that_comes(stream: SocketStream) -> bytes:
    """Return what the server sends until it closes the connection."""
    received = b""
    while True:
        try:
            received += await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return received


@pytest.mark.slow
async def test_headers_that_do_not_come_or_come_a_byte_at_a_time_end_the_connection(
    shared_server: HttpServer,
) -> None:
    async def come(beginning: bytes, *, drips: bool = False) -> None:
        async with connected(shared_server) as stream, anyio.create_task_group() as tasks:
            if beginning:
                await stream.send(beginning)
            if drips:
                tasks.start_soon(drip, stream)
            assert await all_that_comes(stream) == b""
            tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(come, b"")
        tasks.start_soon(come, b"GET /health HTTP/1.1\r\nHost: x\r\nX-More: 1")
        tasks.start_soon(partial(come, b"GET /health HTTP/1.1\r\nX-More: ", drips=True))


async def drip(stream: SocketStream) -> None:
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        while True:
            await stream.send(b"a")
            await anyio.sleep(0.2)


async def test_headers_without_end_are_refused(shared_server: HttpServer) -> None:
    async with connected(shared_server) as stream:
        received = b""
        try:
            await stream.send(b"GET /health HTTP/1.1\r\nHost: x\r\n")
            for number in range(10_000):
                await stream.send(b"X-%d: %s\r\n" % (number, b"a" * 1000))
        except anyio.BrokenResourceError:
            pass
        received = await all_that_comes(stream)
        assert received.startswith(b"HTTP/1.1 400 ") or received == b""


async def test_trailers_without_end_end_the_connection(shared_server: HttpServer) -> None:
    async with connected(shared_server) as stream:
        with suppress(anyio.BrokenResourceError):
            await stream.send(
                b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
            )
            for number in range(10_000):
                await stream.send(b"X-%d: %s\r\n" % (number, b"a" * 1000))
            pytest.fail("the server takes it all")


async def test_a_request_that_is_answered_before_it_is_whole_leaves_the_connection_good(
    shared_server: HttpServer,
) -> None:
    async with connected(shared_server) as stream:
        await stream.send(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n")
        assert (await stream.receive()).startswith(b"HTTP/1.1 401 ")
        await stream.send(b"body" + b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await stream.receive()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.slow
async def test_who_has_no_token_and_does_not_end_its_request_keeps_no_connection(
    shared_server: HttpServer,
) -> None:
    async with connected(shared_server) as stream, anyio.create_task_group() as tasks:
        await stream.send(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\n{")
        tasks.start_soon(drip, stream)
        assert (await all_that_comes(stream)).startswith(b"HTTP/1.1 401 ")
        tasks.cancel_scope.cancel()


@pytest.mark.slow
async def test_a_body_that_does_not_come_is_given_up(shared_server: HttpServer) -> None:
    token = shared_server.tokens["ann"]
    async with connected(shared_server) as stream:
        await stream.send(
            b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Accept: application/json, text/event-stream\r\nContent-Length: 100\r\n"
            b"Authorization: Bearer " + token.encode() + b"\r\n\r\n{"
        )
        received = await all_that_comes(stream)
        assert received.startswith(b"HTTP/1.1 408 ")


async def test_slow_ones_do_not_keep_others_from_being_served(
    shared_server: HttpServer,
) -> None:
    streams = []
    try:
        for _ in range(300):
            host, port = shared_server.url.removeprefix("http://").split(":")
            stream = await anyio.connect_tcp(host, int(port))
            streams.append(stream)
            await stream.send(b"POST /mcp HTTP/1.1\r\nHost: local")
        async with shared_server.connect("ann") as it:
            assert (await it.call("status"))["state"] == "stopped"
    finally:
        for stream in streams:
            await stream.aclose()
