"""llama-mcp over HTTP as its callers see it: the installed command, and people with tokens."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx2
from anyio.abc import Process
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from llama_mcp.tokens.writing import add_token
from tests.support.client_process import Connection, LlamaMCP
from tests.support.processes import PATIENCE_SECONDS, until
from tests.support.raw_client import ENVELOPE, INITIALIZE
from tests.support.wire import LATEST_LEGACY, MODERN

_SERVES = "llama-mcp serves MCP at "
ACCEPT = "application/json, text/event-stream"


@dataclass
class HttpServer:
    """A process that serves HTTP, and who may call it."""

    process: Process
    url: str
    """Without a path."""
    tokens_file: Path
    stderr: Path
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def mcp(self) -> str:
        return f"{self.url}/mcp"

    def http(self, name: str | None = None, **headers: str) -> httpx2.AsyncClient:
        """Return a client that brings that person's token, or none."""
        if name is not None:
            headers["Authorization"] = f"Bearer {self.tokens[name]}"
        patient = httpx2.Timeout(PATIENCE_SECONDS)
        return httpx2.AsyncClient(headers=headers, timeout=patient, trust_env=False)

    @asynccontextmanager
    async def connect(self, name: str, mode: str = "auto") -> AsyncIterator[Connection]:
        """Connect the official client with that person's token."""
        async with (
            self.http(name) as http,
            Client(streamable_http_client(self.mcp, http_client=http), mode=mode) as client,
        ):
            yield Connection(client)

    def told(self) -> str:
        """Return what it has written to stderr."""
        return self.stderr.read_text(encoding="utf-8", errors="replace")

    async def exit_code(self) -> int:
        with anyio.fail_after(PATIENCE_SECONDS):
            return await self.process.wait()


@asynccontextmanager
async def serving(
    llama_mcp: LlamaMCP,
    folder: Path,
    people: Sequence[str] = ("ann", "bob"),
    *arguments: str,
    scope: str = "admin",
) -> AsyncIterator[HttpServer]:
    """Start it on a free port; it is killed at the end if it still lives."""
    tokens_file, stderr = folder / "tokens.toml", folder / "stderr"
    tokens = _made(tokens_file, people, scope)
    command = [*llama_mcp.command, "serve", "--http", "127.0.0.1:0", "--tokens", str(tokens_file)]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(llama_mcp.home.parent / "user-home")}
    if sys.platform == "win32":
        environment = dict(os.environ)
    with stderr.open("wb") as file:
        process = await anyio.open_process(
            [*command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=file,
            env=environment | llama_mcp.environment,
        )
    server = HttpServer(process, "", tokens_file, stderr, tokens)
    try:
        await until(
            lambda: _SERVES in server.told() or process.returncode is not None, "it serves HTTP"
        )
        assert process.returncode is None, server.told()
        server.url = server.told().split(_SERVES)[1].split("/mcp")[0]
        yield server
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _made(file: Path, people: Sequence[str], scope: str) -> dict[str, str]:
    file.parent.mkdir(parents=True, exist_ok=True)
    return {name: add_token(file, name, scope) for name in people}


@dataclass
class RawCaller:
    """Requests as bytes would have them, for what the official client hides."""

    server: HttpServer
    name: str
    era: str
    session_id: str | None = None
    last_id: int = 0

    def message(self, method: str, **params: Any) -> dict[str, Any]:
        """Return a request."""
        self.last_id += 1
        if self.era == "auto":
            params["_meta"] = {**ENVELOPE, **params.get("_meta", {})}
        return {"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}

    def headers(self, message: dict[str, Any]) -> dict[str, str]:
        """Return the headers of a request."""
        found = {"Accept": ACCEPT, "Content-Type": "application/json"}
        if self.era == "auto":
            found |= {"MCP-Protocol-Version": MODERN, "Mcp-Method": message["method"]}
            named = message.get("params", {}).get("name") or message.get("params", {}).get("uri")
            return found | ({"Mcp-Name": named} if named else {})
        if self.session_id:
            found |= {"Mcp-Session-Id": self.session_id, "MCP-Protocol-Version": LATEST_LEGACY}
        return found

    @asynccontextmanager
    async def asked(self, method: str, **params: Any) -> AsyncIterator[httpx2.Response]:
        """Ask, and drop the connection at the end of the context."""
        message = self.message(method, **params)
        async with (
            self.server.http(self.name) as http,
            http.stream(
                "POST", self.server.mcp, json=message, headers=self.headers(message)
            ) as response,
        ):
            yield response

    async def answer(self, method: str, **params: Any) -> dict[str, Any]:
        """Return the message that answers a request."""
        async with self.asked(method, **params) as response:
            assert response.status_code == 200, (response.status_code, await response.aread())
            if self.session_id is None:
                self.session_id = response.headers.get("mcp-session-id")
            if "json" in response.headers["content-type"]:
                found: dict[str, Any] = json.loads(await response.aread())
                return found
            async for message in messages_of(response):
                if message.get("id") == self.last_id:
                    return message
        raise AssertionError("the stream ended without an answer")

    async def notify(self, method: str, **params: Any) -> None:
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        async with self.server.http(self.name) as http:
            response = await http.post(self.server.mcp, json=message, headers=self.headers(message))
        assert response.status_code == 202, response.text

    async def hello(self) -> None:
        """Shake hands, where the era has that."""
        if self.era != "auto":
            await self.answer("initialize", **INITIALIZE | {"protocolVersion": LATEST_LEGACY})
            await self.notify("notifications/initialized")


async def messages_of(response: httpx2.Response) -> AsyncIterator[dict[str, Any]]:
    """Give the messages of a stream of events, as they come."""
    async for line in response.aiter_lines():
        if line.startswith("data:") and line[5:].strip():
            yield json.loads(line[5:])
