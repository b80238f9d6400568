"""A llama-server that somebody else has started: a program, and the URL at which it answers."""

import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx2

from llama_mcp.embedded import presence
from llama_mcp.keeper import spawning
from tests.fake_llama_server.running import free_port
from tests.support.processes import PATIENCE_SECONDS


def program_of(engine: str) -> list[str]:
    """Return how an engine of the tests is started: the embedded one, or a llama.cpp folder."""
    if engine == "embedded":
        return [*spawning.program_command(presence.MODULE)]
    return [str(Path(engine) / "llama-server")]


@asynccontextmanager
async def somebodys_engine(
    program: Sequence[str], *arguments: str, log: Path
) -> AsyncIterator[str]:
    """Start it, give its URL once it answers, and end it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = _start([*program, "--port", str(port), *arguments], log)
    try:
        async with httpx2.AsyncClient(trust_env=False) as client:
            with anyio.fail_after(PATIENCE_SECONDS):
                while not await _answers(client, url):
                    assert process.poll() is None, _end_of(log)
                    await anyio.sleep(0.05)
        yield url
    finally:
        process.kill()
        process.wait()


def _start(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as lines:
        return subprocess.Popen(command, stdout=lines, stderr=lines)


def _end_of(log: Path) -> str:
    return log.read_text("utf-8", "replace")[-2000:]


async def _answers(client: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(f"{url}/health")).status_code == 200
    except httpx2.HTTPError:
        return False
