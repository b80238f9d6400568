"""What answers at a URL may be anything: it is told, and nothing of ours breaks or hangs."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.remote.engine import RemoteEngine
from llama_mcp.llama_server.remote.target import RemoteTarget
from tests.llama_server.remote.conftest import chunks_of
from tests.support.processes import PATIENCE_SECONDS

OK = b"HTTP/1.1 200 OK\r\n"
LIST = b'{"data": [{"id": "m"}]}'
MODELS = OK + b"Content-Length: %d\r\n\r\n" % len(LIST) + LIST
STREAM = OK + b"Content-Type: text/event-stream\r\nConnection: close\r\n\r\n"
EMPTY, DONE = b"Content-Length: 0\r\n\r\n", b"data: [DONE]\n"
ANSWERS = {
    "nothing": b"",
    "no http": b"SSH-2.0-OpenSSH_9.2\r\n",
    "half a head": b"HTTP/1.1 200",
    "an endless head": OK + b"X: y\r\n" * 50_000,
    "a wrong length": OK + b"Content-Length: 5\r\n\r\nab",
    "two lengths": OK + b"Content-Length: 5\r\nContent-Length: 7\r\n\r\nabcde",
    "a broken chunk": OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc",
    "gzip that is none": OK + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    "an odd status": b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
    "switching": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    "a loop": b"HTTP/1.1 302 Found\r\nLocation: /v1/models\r\n" + EMPTY,
    "an odd place": b"HTTP/1.1 302 Found\r\nLocation: http://[\x1b[31m\r\n" + EMPTY,
    "deep": OK + b"Content-Length: 200000\r\n\r\n" + b"[" * 200_000,
    "half a stream": STREAM + b'data: {"choices": [{"delta": {"content": "a"',
    "a number": STREAM + b"data: 7\n\n" + DONE,
    "odd types": STREAM
    + b'data: {"choices": {"0": 1}, "usage": [], "timings": 3}\n\ndata: [DONE]\n',
}


@asynccontextmanager
async def answering(first: bytes, others: bytes) -> AsyncIterator[str]:
    """Give the URL of what answers so: first to /v1/models, then to whatever else is asked."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(first if b" /v1/models " in head else others)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def used(url: str) -> None:
    """Use all of an engine; only errors of ours may come of it."""
    engine = RemoteEngine(RemoteTarget(url=url, model="m"), salt="test")
    try:
        with anyio.fail_after(PATIENCE_SECONDS):
            look = await engine.look()
            assert look.problem is None or str(look.problem).isprintable()
            await engine.slots()
            await engine.metrics_text()
            server = await engine.ready_server()
            await server.count_tokens([{"role": "user", "content": "Hello"}])
            await chunks_of(server)
    except LlamaMCPError as error:
        assert str(error).isprintable()
    finally:
        await engine.aclose()


@pytest.mark.parametrize("name", ANSWERS)
async def test_whatever_answers_only_an_error_of_ours_comes_of_it(name: str) -> None:
    async with answering(ANSWERS[name], ANSWERS[name]) as url:
        await used(url)
    async with answering(MODELS, ANSWERS[name]) as url:
        await used(url)


@pytest.mark.parametrize("seed", range(20))
async def test_answers_with_random_damage_are_told(seed: int) -> None:
    dice = random.Random(seed)
    whole = bytearray(dice.choice([MODELS, *ANSWERS.values()])[:2000])
    for _ in range(dice.randint(1, 5)):
        if whole:
            whole[dice.randrange(len(whole))] = dice.randrange(256)
    async with answering(dice.choice([MODELS, bytes(whole)]), bytes(whole)) as url:
        await used(url)
