"""A client of either era with many requests under way, over real pipes; each frame is checked."""

import json
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.support.raw_client import INITIALIZE, MAX_LINE
from tests.support.wire import MODERN, VERSION_IN_META, Wire

Era = Literal["legacy", "modern"]
ENVELOPE = {
    VERSION_IN_META: MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "soak", "version": "1"},
}
# Longer than any call here may take, waits included.
HANG_SECONDS = 90.0
CONNECTION_CLOSED = -32000


class GoneError(Exception):
    """llama-mcp has ended while somebody waited for its answer."""


class HangError(Exception):
    """An answer did not come."""


@dataclass(frozen=True)
class Result:
    """What a tool has answered."""

    text: str
    structure: dict[str, Any]
    is_error: bool


@dataclass
class _Pending:
    arrived: anyio.Event = field(default_factory=anyio.Event)
    frame: dict[str, Any] | None = None
    pieces: list[str] = field(default_factory=list)


class SoakClient:
    """One llama-mcp process and the requests to it."""

    def __init__(self, process: Process, era: Era) -> None:
        assert process.stdout is not None
        self.process = process
        self.era = era
        self.wire = Wire()
        self.changes_told = 0
        self.is_gone = False
        self.heed: Callable[[Mapping[str, Any]], None] = lambda _: None
        """Is shown each frame that comes."""
        self._lines = BufferedByteReceiveStream(process.stdout)
        self._pending: dict[int, _Pending] = {}
        self._last_id = 0
        self._writing = anyio.Lock()

    async def read(self) -> None:
        """Take what comes until the process ends."""
        try:
            while True:
                self._take(json.loads(await self._lines.receive_until(b"\n", MAX_LINE)))
        except (anyio.IncompleteRead, anyio.ClosedResourceError, anyio.BrokenResourceError):
            pass
        finally:
            self.is_gone = True
            for pending in self._pending.values():
                pending.arrived.set()

    def _take(self, frame: dict[str, Any]) -> None:
        self.wire.received(frame)
        self.heed(frame)
        params = frame.get("params", {})
        if frame.get("method") == "notifications/progress":
            if pending := self._pending.get(params["progressToken"]):
                pending.pieces.append(params.get("message") or "")
        elif "method" in frame:
            self.changes_told += 1
        elif pending := self._pending.get(frame["id"]):
            pending.frame = frame
            pending.arrived.set()

    async def hello(self) -> None:
        """Begin the connection in its era."""
        if self.era == "legacy":
            await self.ask("initialize", INITIALIZE)
            await self._write({"method": "notifications/initialized"})
        else:
            await self.ask("server/discover", {})

    async def send(self, method: str, params: Mapping[str, Any]) -> int:
        """Send a request and return its id, which is its progress token too."""
        self._last_id += 1
        request = self._last_id
        meta = ENVELOPE if self.era == "modern" else {}
        with_meta = {**params, "_meta": {**meta, "progressToken": request}}
        if method == "initialize":
            with_meta = dict(params)
        self._pending[request] = _Pending()
        await self._write({"id": request, "method": method, "params": with_meta})
        return request

    async def wait(self, request: int) -> tuple[dict[str, Any], str]:
        """Return the answer to a request, and the text that its progress carried."""
        pending = self._pending[request]
        try:
            if not self.is_gone:
                with anyio.fail_after(HANG_SECONDS):
                    await pending.arrived.wait()
        except TimeoutError as error:
            raise HangError(f"no answer within {HANG_SECONDS:g} s") from error
        finally:
            del self._pending[request]
        # The SDK answers so for what is under way when a process ends.
        is_closing = (pending.frame or {}).get("error", {}).get("code") == CONNECTION_CLOSED
        if pending.frame is None or is_closing:
            raise GoneError
        return pending.frame, "".join(pending.pieces)

    async def ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to a request."""
        frame, _ = await self.wait(await self.send(method, params))
        return frame

    async def call(self, tool: str, **arguments: Any) -> Result:
        """Return a tool's result."""
        return result_of(await self.ask("tools/call", {"name": tool, "arguments": arguments}))

    async def cancel(self, request: int) -> None:
        """Take a request back; there is no answer to wait for any more."""
        self._pending.pop(request, None)
        await self._write({"method": "notifications/cancelled", "params": {"requestId": request}})

    async def subscribe(self, uris: Sequence[str]) -> None:
        """Ask to be told of changes, as the era has it."""
        if self.era == "legacy":
            for uri in uris:
                await self.ask("resources/subscribe", {"uri": uri})
        else:
            wanted = {"resourceSubscriptions": list(uris), "resourcesListChanged": True}
            await self.send("subscriptions/listen", {"notifications": wanted})

    async def close(self) -> None:
        """Close stdin, as a client that ends does, and wait for the end."""
        assert self.process.stdin is not None
        await self.process.stdin.aclose()
        with anyio.fail_after(HANG_SECONDS):
            await self.process.wait()

    async def _write(self, message: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None
        frame = {"jsonrpc": "2.0", **message}
        self.wire.sent(frame)
        try:
            async with self._writing:
                await self.process.stdin.send(json.dumps(frame).encode() + b"\n")
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise GoneError from error


def result_of(frame: Mapping[str, Any]) -> Result:
    """Return a tool's result; a JSON-RPC error is one too."""
    if "error" in frame:
        return Result(json.dumps(frame["error"]), {}, is_error=True)
    result = frame["result"]
    text = "\n".join(block["text"] for block in result["content"])
    return Result(text, result.get("structuredContent", {}), bool(result.get("isError")))


@asynccontextmanager
async def soak_client(
    argv: Sequence[str], environment: Mapping[str, str], era: Era, stderr: Path
) -> AsyncIterator[SoakClient]:
    """Run a llama-mcp until the context ends; it is killed then if it still lives."""
    with stderr.open("ab") as log:
        process = await anyio.open_process(
            list(argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment
        )
    client = SoakClient(process, era)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.read)
            yield client
            tasks.cancel_scope.cancel()
    finally:
        if process.returncode is None:
            process.kill()
        with anyio.CancelScope(shield=True):
            await process.aclose()
