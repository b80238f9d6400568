"""A client without manners: raw JSON-RPC lines over real pipes, for what the official one hides."""

import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import IO, Any

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.support.client_process import LlamaMCP
from tests.support.processes import PATIENCE_SECONDS
from tests.support.wire import MODERN, VERSION_IN_META, Wire

MAX_LINE = 64 * 1024 * 1024
INITIALIZE = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "raw", "version": "1"},
}
# What every request of 2026-07-28 carries instead of the handshake.
ENVELOPE = {
    VERSION_IN_META: MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": INITIALIZE["clientInfo"],
}


@dataclass
class RawClient:
    """One llama-mcp process and its pipes."""

    process: Process
    lines: BufferedByteReceiveStream
    last_id: int = 0
    envelope: dict[str, Any] = field(default_factory=dict)
    wire: Wire = field(default_factory=Wire)

    async def write(self, line: bytes) -> None:
        assert self.process.stdin is not None
        await self.process.stdin.send(line + b"\n")

    async def ask(self, method: str, **params: Any) -> int:
        """Send a request and return its id."""
        self.last_id += 1
        if meta := {**self.envelope, **params.get("_meta", {})}:
            params["_meta"] = meta
        message = {"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}
        self.wire.sent(message)
        await self.write(json.dumps(message).encode())
        return self.last_id

    async def notify(self, method: str, **params: Any) -> None:
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        await self.write(json.dumps(message).encode())

    async def next(self) -> dict[str, Any]:
        """Return the next message, whatever it is."""
        with anyio.fail_after(PATIENCE_SECONDS):
            line = await self.lines.receive_until(b"\n", MAX_LINE)
        message: dict[str, Any] = json.loads(line)
        self.wire.received(message)
        self.wire.check()
        return message

    async def answer(self, request_id: int | None) -> dict[str, Any]:
        """Return the answer to a request; what comes before it is dropped."""
        while True:
            message = await self.next()
            if "method" not in message and message.get("id") == request_id:
                return message

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Return a tool's result."""
        request = await self.ask("tools/call", name=tool, arguments=arguments)
        result: dict[str, Any] = (await self.answer(request))["result"]
        return result

    async def hello(self) -> None:
        """Shake hands as an initialize-era client does."""
        await self.answer(await self.ask("initialize", **INITIALIZE))
        await self.notify("notifications/initialized")

    async def discover(self) -> dict[str, Any]:
        """Speak 2026-07-28 from now on; return what llama-mcp says of itself."""
        self.envelope = ENVELOPE
        return await self.answer(await self.ask("server/discover"))

    async def exit_code(self) -> int:
        with anyio.fail_after(PATIENCE_SECONDS):
            return await self.process.wait()


@asynccontextmanager
async def raw_client(
    llama_mcp: LlamaMCP, stderr: IO[bytes] | int | None = None
) -> AsyncIterator[RawClient]:
    """Start llama-mcp with a host's poor environment; it is killed at the end if it still lives."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(llama_mcp.home.parent / "user-home")}
    process = await anyio.open_process(
        llama_mcp.command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=environment | llama_mcp.environment,
    )
    assert process.stdout is not None
    try:
        async with process:
            yield RawClient(process, BufferedByteReceiveStream(process.stdout))
            if process.returncode is None:
                process.kill()
    finally:
        if process.returncode is None:
            process.kill()
