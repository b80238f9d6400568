"""Every frame that llama-mcp sends, checked as it comes: against the specification, and our own.

The specification's JSON schemas lie in tests/specification. A tool's result is checked against the
output schema of the tool, too. Validators are made once a process, each when it is first needed.
"""

import json
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import anyio
from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from mcp import StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.shared.message import SessionMessage
from referencing import Registry, Resource

from llama_mcp.settings import Settings
from llama_mcp.surface.server import build_server

SPECIFICATION = Path(__file__).parents[1] / "specification"
MODERN = "2026-07-28"
# What a connection speaks until its first message says otherwise, and what stands in for the
# versions before 2025-06-18, of which each is a superset.
LATEST_LEGACY = "2025-11-25"
VERSION_IN_META = "io.modelcontextprotocol/protocolVersion"

Frame = Mapping[str, Any]


class Wire:
    """One connection: what was asked, and whether all that came back is as it should be."""

    def __init__(self) -> None:
        self.version = LATEST_LEGACY
        self.frames = 0
        self.violations: list[str] = []
        # Method and, for a call, the tool of every request that was sent, by id.
        self._asked: dict[str | int, tuple[str, str]] = {}
        self._is_settled = False
        # Results that were right before: a catalogue that is asked for a hundred times takes long.
        self._known: set[tuple[str, str, str]] = set()

    def sent(self, frame: Any) -> None:
        """Note a frame that goes to llama-mcp; one that makes no sense is none."""
        params = _member(frame, "params")
        if not self._is_settled and _member(_member(params, "_meta"), VERSION_IN_META) == MODERN:
            self.version, self._is_settled = MODERN, True
        request_id, method = _member(frame, "id"), _member(frame, "method")
        if isinstance(request_id, str | int) and isinstance(method, str):
            self._asked[request_id] = (method, str(_member(params, "name")))

    def received(self, frame: Frame) -> None:
        """Check a frame that llama-mcp has sent; what is wrong is kept for `check`."""
        self.frames += 1
        method, tool = self._asked.get(frame.get("id") or "", ("", ""))
        for fault in self._faults(frame, method, tool):
            self.violations.append(f"{fault}, in {json.dumps(frame)[:2000]}")
        if method == "initialize" and "result" in frame:
            asked = frame["result"]["protocolVersion"]
            self.version = asked if (SPECIFICATION / f"{asked}.json").exists() else "2025-06-18"
            self._is_settled = True

    def check(self) -> None:
        """Fail with everything that was wrong."""
        assert not self.violations, "\n".join(self.violations)

    def _faults(self, frame: Frame, method: str, tool: str) -> list[str]:
        definitions = definitions_of(self.version)
        if isinstance(frame.get("method"), str):
            name = definitions.by_method.get(frame["method"])
            return definitions.faults(name, frame) if name else [f"{frame['method']} is unknown"]
        if "error" in frame and frame.get("id", "") is None:
            # JSON-RPC 2.0 wants a null id where none could be read. MCP knows no null: before
            # 2025-11-25 it had nothing for this case, since then the id may be left out.
            without = {name: value for name, value in frame.items() if name != "id"}
            return definitions_of(LATEST_LEGACY).faults("JSONRPCErrorResponse", without)
        if "error" in frame:
            return definitions.faults(definitions.error, frame)
        known = (method, tool, json.dumps(frame.get("result")))
        if known in self._known:
            return definitions.faults("RequestId", frame.get("id"))
        faults = definitions.faults(definitions.result, frame)
        if name := definitions.result_of.get(method):
            faults += definitions.faults(name, frame.get("result"))
        if method == "tools/call":
            faults += tool_faults(tool, frame["result"])
        if not faults:
            self._known.add(known)
        return faults


class Definitions:
    """One version of the specification: which definition is for what, and its validator."""

    def __init__(self, version: str) -> None:
        schema = json.loads((SPECIFICATION / f"{version}.json").read_text(encoding="utf-8"))
        self._kind = validator_for(schema)
        self._key = "$defs" if "$defs" in schema else "definitions"
        self._registry = Registry().with_resource("mcp:schema", Resource.from_contents(schema))
        self._validators: dict[str, Validator] = {}
        names: dict[str, Any] = schema[self._key]
        self.error = "JSONRPCErrorResponse" if "JSONRPCErrorResponse" in names else "JSONRPCError"
        self.result = (
            "JSONRPCResultResponse" if "JSONRPCResultResponse" in names else "JSONRPCResponse"
        )
        self.by_method = {
            definition["properties"]["method"]["const"]: name
            for name, definition in names.items()
            if "const" in definition.get("properties", {}).get("method", {})
        }
        results = {
            method: name.removesuffix("Request") + "Result"
            for method, name in self.by_method.items()
            if name.endswith("Request")
        }
        self.result_of = {method: name for method, name in results.items() if name in names}

    def faults(self, name: str, value: Any) -> list[str]:
        """Say where the value is not what the definition wants."""
        if name not in self._validators:
            reference = {"$ref": f"mcp:schema#/{self._key}/{name}"}
            self._validators[name] = self._kind(reference, registry=self._registry)
        return _faults(name, self._validators[name], value)


@cache
def definitions_of(version: str) -> Definitions:
    return Definitions(version)


def tool_faults(tool: str, result: Frame) -> list[str]:
    """Say where the result of a tool is not what its own output schema promises."""
    if result.get("isError"):
        has_text = any(block.get("text") for block in result.get("content", ()))
        return [] if has_text else [f"the error of {tool} has no text"]
    validator = output_validators().get(tool)  # a test may have laid a tool of its own beside ours
    return _faults(tool, validator, result.get("structuredContent")) if validator else []


@cache
def output_validators() -> Mapping[str, Validator]:
    """Return a validator for each of our tools; test_wire.py compares them with the wire's."""
    # In a thread, because this one may have an event loop.
    with ThreadPoolExecutor(1) as executor:
        tools = executor.submit(anyio.run, build_server(Settings(), {}).list_tools).result()
    return {tool.name: Draft202012Validator(tool.output_schema or {}) for tool in tools}


def _faults(name: str, validator: Validator, value: Any) -> list[str]:
    return [f"{name}: {error.message[:300]}" for error in validator.iter_errors(value)]


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


class _Incoming(Protocol):
    async def receive(self) -> SessionMessage | Exception: ...
    async def aclose(self) -> None: ...


class _Outgoing(Protocol):
    async def send(self, item: SessionMessage, /) -> None: ...
    async def aclose(self) -> None: ...


@asynccontextmanager
async def watched(
    parameters: StdioServerParameters, wire: Wire
) -> AsyncIterator[tuple["WatchedReader", "WatchedWriter"]]:
    """Be the official client's transport, and let the wire see each frame."""
    async with stdio_client(parameters) as (reader, writer):
        yield WatchedReader(reader, wire), WatchedWriter(writer, wire)


class _Watched:
    """What both directions have in common."""

    def __init__(self, stream: Any, wire: Wire) -> None:
        self._stream = stream
        self._wire = wire

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


class WatchedReader(_Watched):
    """Frames from llama-mcp."""

    _stream: _Incoming

    async def receive(self) -> SessionMessage | Exception:
        item = await self._stream.receive()
        if isinstance(item, SessionMessage):
            self._wire.received(as_frame(item))
        else:
            self._wire.violations.append(f"not a JSON-RPC message: {item}")
        return item

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None


class WatchedWriter(_Watched):
    """Frames to llama-mcp."""

    _stream: _Outgoing

    async def send(self, item: SessionMessage, /) -> None:
        self._wire.sent(as_frame(item))
        await self._stream.send(item)


def as_frame(item: SessionMessage) -> dict[str, Any]:
    """Return the frame as it is on the wire: the client has parsed no more than its envelope."""
    return item.message.model_dump(mode="json", by_alias=True, exclude_unset=True)
