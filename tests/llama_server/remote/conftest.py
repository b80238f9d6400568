"""Engines by URL over a stand-in, and a certificate authority of the tests' own."""

import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from llama_mcp.llama_server.remote.engine import RemoteEngine
from llama_mcp.llama_server.remote.server import RemoteServer
from llama_mcp.llama_server.remote.target import RemoteTarget
from tests.fake_openai_server.engine import FakeEngine
from tests.fake_openai_server.serving import serving

MESSAGES = [{"role": "user", "content": "Hello there"}]


@dataclass
class Remote:
    """An engine by URL and the stand-in behind it."""

    fake: FakeEngine
    engine: RemoteEngine
    url: str


OpenRemote = Callable[..., Awaitable[Remote]]


@pytest.fixture
async def open_remote() -> AsyncIterator[OpenRemote]:
    """Serves a stand-in and gives an engine for it; what it is given beyond is the target's."""
    async with AsyncExitStack() as stack:

        async def open_one(fake: FakeEngine | None = None, **target: Any) -> Remote:
            fake = fake or FakeEngine()
            place = await stack.enter_async_context(serving(fake))
            target = {"url": place.url} | target
            engine = RemoteEngine(RemoteTarget(**target), salt="test", patience_seconds=60)
            stack.push_async_callback(engine.aclose)
            return Remote(fake, engine, place.url)

        yield open_one


async def chunks_of(server: RemoteServer, **body: Any) -> list[Any]:
    """Return all chunks of a reply."""
    whole = {"messages": MESSAGES, "stream_options": {"include_usage": True}, **body}
    async with server.stream_chat(whole, session_id="k7m2") as chunks:
        return [chunk async for chunk in chunks]


def text_of(chunks: list[Any], name: str = "content") -> str:
    deltas = [c["choices"][0]["delta"] for c in chunks if c.get("choices")]
    return "".join(delta.get(name) or "" for delta in deltas)


@dataclass
class Authority:
    """A certificate authority, and a certificate of localhost by it."""

    file: Path
    context: ssl.SSLContext


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("authority")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    openssl(*new, "-subj", "/CN=Our authority", "-keyout", "ca.key", "-out", "ca.pem")
    names = ("-addext", "subjectAltName=DNS:localhost", "-CA", "ca.pem", "-CAkey", "ca.key")
    openssl(*new, "-subj", "/CN=localhost", *names, "-keyout", "own.key", "-out", "own.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.pem", folder / "own.key")
    return Authority(folder / "ca.pem", context)
