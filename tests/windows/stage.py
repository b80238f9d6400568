"""What every show plays on: a home, a llama-server.exe, a model, and clients on this side."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.support.client_process import LlamaMCP
from tests.support.processes import PATIENCE_SECONDS, until
from tests.support.raw_client import RawClient, raw_client
from tests.windows.wine import Windows

LINES_OF_LOG = 40
LAST_WORDS_SECONDS = 10


@dataclass(frozen=True)
class Stage:
    """One home and what llama-mcp is started with in it; everything lies in one new folder."""

    windows: Windows
    folder: Path
    executable: Path
    model: Path

    def llama_mcp(self, **variables: str) -> LlamaMCP:
        """Return the Windows llama-mcp; the names of its settings are without LLAMA_MCP_."""
        settings = {
            "HOME": self.windows.path(self.home),
            "LLAMA_CPP_PATH": self.windows.path(self.executable.parent),
            "MODEL_PATH": self.windows.path(self.model),
            "PORT": "0",
            "CTX_SIZE": "4096",
            "LINGER_SECONDS": "0",
            "LOG_LEVEL": "INFO",
            # Two threads of llama.cpp wait for each other long on a machine that other work shares.
            "EXTRA_ARGS": "-t 1",
        }
        command = (*self.windows.python, "-P", "-m", "llama_mcp")
        return LlamaMCP(self.home, self.windows.environment, command).having(**settings | variables)

    @property
    def home(self) -> Path:
        """Where llama-mcp keeps everything."""
        return self.folder / "home"

    @property
    def log(self) -> Path:
        """What every llama-mcp of the stage has written to stderr."""
        return self.folder / "stderr"

    @asynccontextmanager
    async def client(self, **variables: str) -> AsyncIterator[RawClient]:
        """Start a Windows llama-mcp and speak to it through its pipes."""
        with _copied_to(self.log) as stderr:
            async with raw_client(self.llama_mcp(**variables), stderr) as client:
                yield client

    def end_of_log(self) -> str:
        """Return the last lines of that log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-LINES_OF_LOG:])

    async def until_nothing_is_left(self) -> None:
        """Wait until no program of Windows runs any more."""
        await until(lambda: not self.windows.programs(), "keeper and llama-server end")


@contextmanager
def _copied_to(path: Path) -> Iterator[IO[bytes]]:
    """Give a pipe whose content goes to the file: Python under Wine cannot start on a file."""
    with (
        path.open("ab") as file,
        subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=file) as cat,
    ):
        assert cat.stdin is not None
        yield cat.stdin
        cat.stdin.close()
        try:
            cat.wait(LAST_WORDS_SECONDS)
        except subprocess.TimeoutExpired:  # held by what Windows.end() has to end
            cat.kill()


async def start(client: RawClient, **arguments: Any) -> dict[str, Any]:
    """Start llama-server and return its status, which must be ready."""
    arguments = {"wait_seconds": PATIENCE_SECONDS, **arguments}
    status = await call(client, "start_llama_server", **arguments)
    assert status["state"] == "ready", status
    return status


async def call(client: RawClient, tool: str, **arguments: Any) -> dict[str, Any]:
    """Return the structure of a tool's result, which must not be an error."""
    result = await client.call(tool, **arguments)
    assert not result.get("isError"), result["content"][0]["text"]
    structure: dict[str, Any] = result["structuredContent"]
    return structure


async def close(client: RawClient) -> None:
    """Close stdin, as a client does that is done; llama-mcp must end with 0."""
    assert client.process.stdin is not None
    await client.process.stdin.aclose()
    assert await client.exit_code() == 0, f"it ended with {client.process.returncode}"
