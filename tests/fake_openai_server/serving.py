"""HTTP for the stand-in, on an address of this process; plain or over TLS."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.fake_openai_server.engine import Asked, FakeEngine, Refusal

TLS_HELLO = b"\x16"


@dataclass
class Serving:
    """Where it is."""

    engine: FakeEngine
    url: str


@asynccontextmanager
async def serving(engine: FakeEngine, tls: ssl.SSLContext | None = None) -> AsyncIterator[Serving]:
    """Serve it on a free port until the context ends."""
    handlers: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        try:
            while await _one(engine, reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        except asyncio.CancelledError:  # the test is over
            pass
        finally:
            handlers.discard(task)
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    scheme = "https" if tls else "http"
    host = "localhost" if tls else "127.0.0.1"
    try:
        yield Serving(engine, f"{scheme}://{host}:{port}{engine.prefix}")
    finally:
        server.close()
        for task in list(handlers):
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)


async def _one(
    engine: FakeEngine, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    """Answer one request, and return whether another may follow."""
    first = await reader.readexactly(1)
    if first == TLS_HELLO:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        return False
    head = (first + await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {}
    for line in filter(None, head[1:]):
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    content = await reader.readexactly(int(headers.get("content-length", "0")))
    url = urlsplit(target)
    body = json.loads(content) if content else None
    asked = Asked(method, url.path, url.query, headers, body)
    engine.asked.append(asked)
    answer = engine.answer(asked)
    if answer is not None:
        _send_whole(writer, answer)
        await writer.drain()
        return True
    await _send_stream(engine, body, reader, writer)
    return False


def _send_whole(writer: asyncio.StreamWriter, answer: Refusal) -> None:
    is_text = isinstance(answer.body, str)
    content = answer.body.encode() if is_text else json.dumps(answer.body).encode()
    lines = [f"HTTP/1.1 {answer.status} Whatever", f"Content-Length: {len(content)}"]
    lines += [f"Content-Type: {'text/html' if is_text else 'application/json'}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode() + content)


async def _send_stream(
    engine: FakeEngine,
    body: Any,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
    words = 0
    for chunk in engine.chunks(body):
        if words == engine.breaks_after:
            return
        if words == engine.hangs_after:
            await _until_left(engine, reader)
            return
        if engine.breaks_in_figures and "usage" in chunk:
            writer.write(engine.event(chunk)[:30])
            return
        writer.write(engine.event(chunk))
        await writer.drain()
        delta = (chunk.get("choices") or [{}])[0].get("delta") or {}
        words += bool(delta.get("content"))
    if engine.stays_open:
        await _until_left(engine, reader)
    elif engine.sends_done:
        writer.write(b"data: [DONE]\n\n")
        await writer.drain()


async def _until_left(engine: FakeEngine, reader: asyncio.StreamReader) -> None:
    await reader.read()
    engine.left += 1
