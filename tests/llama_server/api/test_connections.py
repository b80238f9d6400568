"""Connections: opened ahead of a request, never more than slots, never stale, none left behind."""

import asyncio
import socket
from functools import partial

import anyio
import pytest

from llama_mcp.llama_server.api import connections as under_test
from llama_mcp.llama_server.api.connections import Connections
from llama_mcp.llama_server.errors import LlamaServerLostError
from tests.llama_server.api.peer import HEAD, REQUEST, chunk, listening, sends, whole
from tests.support.processes import until

WORDS = sends(HEAD, chunk(b"words"), b"0\r\n\r\n")


async def test_a_request_takes_the_connection_that_was_opened_ahead() -> None:
    async with listening(WORDS) as peer:
        connections = Connections(peer.url, 5)
        await connections.open_ahead(most=4)
        await until(lambda: len(peer.accepted) == 1, "the peer accepts it")
        assert await whole(connections) == b"words"
        assert (len(peer.accepted), peer.asked) == (1, 1)
        connections.close()
        await until(lambda: peer.left == 1, "it is closed")


async def test_requests_that_follow_each_other_use_one_connection() -> None:
    async with listening(WORDS) as peer:
        connections = Connections(peer.url, 5)
        for _ in range(4):
            assert await whole(connections) == b"words"
            await connections.open_ahead(most=4)
        assert (len(peer.accepted), peer.asked) == (1, 4)
        connections.close()
        await until(lambda: peer.left == 1, "it is closed")


@pytest.mark.parametrize(
    "pieces",
    [
        [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nwords"],
        [b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nwords"],
        [HEAD, chunk(b"words"), b"0\r\n\r\n" + HEAD],
    ],
)
async def test_no_request_follows_an_answer_that_is_the_last_or_was_not_asked_for(
    pieces: list[bytes],
) -> None:
    async with listening(sends(*pieces)) as peer:
        connections = Connections(peer.url, 5)
        assert await whole(connections) == b"words"
        assert await whole(connections) == b"words"
        assert (len(peer.accepted), peer.asked) == (2, 2)
        connections.close()


async def test_no_request_follows_an_answer_that_was_not_read_to_its_end() -> None:
    async with listening(sends(HEAD, chunk(b"words"))) as peer:
        connections = Connections(peer.url, 5)
        for number in (1, 2):
            connection = await connections.ask(REQUEST)
            assert await anext(connection.pieces()) == b"words"
            connections.give_back(connection)
            assert (len(peer.accepted), peer.asked) == (number, number)
        await until(lambda: peer.left == 2, "both are closed")


async def test_no_more_connections_are_opened_ahead_than_there_are_slots() -> None:
    is_over = anyio.Event()

    async def begin(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        await writer.drain()
        await is_over.wait()

    async with listening(begin) as peer:
        connections = Connections(peer.url, 5)
        connection = await connections.ask(REQUEST)
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(connections.open_ahead, 3)
        await until(lambda: len(peer.accepted) == 3, "one that is used, and two ahead")
        await connections.open_ahead(3)
        await anyio.wait_all_tasks_blocked()
        assert len(peer.accepted) == 3
        connections.give_back(connection)
        connections.close()
        await until(lambda: peer.left == 2, "those that nobody has used are closed")
        is_over.set()


async def test_a_connection_that_nobody_uses_is_closed_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(under_test, "FREE_SECONDS", 0.05)
    async with listening(WORDS) as peer:
        connections = Connections(peer.url, 5)
        await connections.open_ahead(4)
        await until(lambda: peer.left == 1, "it is closed")
        assert await whole(connections) == b"words"
        assert len(peer.accepted) == 2


async def test_a_connection_that_the_peer_has_closed_is_not_used() -> None:
    async with listening(WORDS) as peer:
        connections = Connections(peer.url, 5)
        await connections.open_ahead(4)
        await until(lambda: len(peer.accepted) == 1, "the peer accepts it")
        # At once, so that the loop has not read yet that it is over.
        peer.accepted[0].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        assert await whole(connections) == b"words"
        assert (len(peer.accepted), peer.asked) == (2, 1)


@pytest.mark.posix  # the event loop of Windows reads ahead, so that nothing shows on the socket
async def test_what_came_before_any_request_makes_a_connection_useless() -> None:
    async with listening(WORDS) as peer:
        connections = Connections(peer.url, 5)
        await connections.open_ahead(4)
        await until(lambda: len(peer.accepted) == 1, "the peer accepts it")
        peer.accepted[0].write(HEAD + chunk(b"of another"))
        await peer.accepted[0].drain()
        assert await whole(connections) == b"words"
        assert (len(peer.accepted), peer.asked) == (2, 1)


async def test_a_request_that_is_cancelled_takes_its_connection_with_it() -> None:
    is_over = anyio.Event()

    async def be_silent(writer: asyncio.StreamWriter) -> None:
        await is_over.wait()

    async with listening(be_silent) as peer:
        connections = Connections(peer.url, 5)
        for number in (1, 2):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(connections.ask, REQUEST)
                await until(partial(lambda asked: peer.asked == asked, number), "it is asked")
                tasks.cancel_scope.cancel()
        assert len(peer.accepted) == 2
        is_over.set()
        await until(lambda: peer.left == 2, "both are closed")


async def test_opening_ahead_says_nothing_of_a_peer_that_is_not_there_and_asking_does() -> None:
    async with listening(WORDS) as peer:
        nowhere = peer.url
    connections = Connections(nowhere, 5)
    await connections.open_ahead(4)
    with pytest.raises(LlamaServerLostError, match="connection to it failed"):
        await connections.ask(REQUEST)


async def test_connections_that_are_closed_open_none_any_more() -> None:
    async with listening(WORDS) as peer:
        connections = Connections(peer.url, 5)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(connections.open_ahead, 4)
            await anyio.lowlevel.checkpoint()
            connections.close()
        await connections.open_ahead(4)
        with pytest.raises(LlamaServerLostError, match="closed"):
            await connections.ask(REQUEST)
        await until(lambda: peer.left == len(peer.accepted), "none is left")
