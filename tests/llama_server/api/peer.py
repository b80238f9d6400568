"""A peer on the other end of the wire that sends whatever a test says, and what is asked of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio

from llama_mcp.llama_server.api.connections import Connections

REQUEST = b"GET / HTTP/1.1\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """Reads a request's head from a connection, and then does as it is told."""

    def __init__(self, answer: Answer, *, keeps_alive: bool) -> None:
        self.answer = answer
        self.keeps_alive = keeps_alive
        self.url = ""
        self.asked = 0
        self.accepted: list[asyncio.StreamWriter] = []
        self.left = 0
        """How many connections its clients have left that were waiting for a request."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        self.accepted.append(writer)
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.asked += 1
                await self.answer(writer)
                await writer.drain()
                if not self.keeps_alive:
                    break
        except asyncio.IncompleteReadError:
            self.left += 1
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def listening(answer: Answer, *, keeps_alive: bool = True) -> AsyncIterator[Peer]:
    """Give a peer that listens.

    Args:
        answer: what it does after each request.
        keeps_alive: whether it waits for another request then.
    """
    peer = Peer(answer, keeps_alive=keeps_alive)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield peer


@asynccontextmanager
async def talking_to(answer: Answer) -> AsyncIterator[Connections]:
    """Give the connections to a peer that answers once, which are closed at the end."""
    async with listening(answer, keeps_alive=False) as peer:
        connections = Connections(peer.url, 5)
        try:
            yield connections
        finally:
            connections.close()


def sends(*pieces: bytes) -> Answer:
    """Return what sends these bytes, piece by piece."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await anyio.lowlevel.checkpoint()

    return answer


def chunk(data: bytes) -> bytes:
    """Return a chunk of a body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


async def whole(connections: Connections) -> bytes:
    """Ask, and return the whole body of the answer."""
    connection = await connections.ask(REQUEST)
    try:
        return b"".join([piece async for piece in connection.pieces()])
    finally:
        connections.give_back(connection)
