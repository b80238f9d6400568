"""What a client says to llama-mcp and what comes back: JSON-RPC lines of either era.

One request at a time. What is not as the protocol wants it ends the proof.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import anyio

from llama_mcp.cli.proof.launch import Launch
from llama_mcp.cli.proof.problem import REPORT, NotProvedError
from llama_mcp.cli.proof.program import LaunchedProgram
from llama_mcp.early.messages import MODERN_VERSION
from llama_mcp.visible_text import visible_line
from llama_mcp.wording import shortened

Json = dict[str, Any]
# Called with the params of each progress notification.
OnProgress = Callable[[Json], None]

_CLIENT = {"name": "llama-mcp-proof", "version": "1"}
# What every request of 2026-07-28 carries instead of the handshake.
_ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": MODERN_VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": _CLIENT,
}
_METHOD_NOT_FOUND = -32601  # JSON-RPC 2.0, section 5.1
_MOST_SHOWN, _MOST_SHOWN_ERROR = 120, 1200


class Conversation:
    """A client that asks one thing after the other."""

    def __init__(self, program: LaunchedProgram, launch: Launch) -> None:
        self._program = program
        self._launch = launch
        self._envelope: Json = dict(_ENVELOPE) if launch.era == MODERN_VERSION else {}
        self._last_id = 0

    async def begin(self, seconds: float) -> Json:
        """Say the first thing that this client says; return what llama-mcp says of itself."""
        if self._envelope:
            return await self.ask("server/discover", {}, seconds)
        params = {
            "protocolVersion": self._launch.protocol_version,
            "capabilities": {},
            "clientInfo": _CLIENT,
        }
        result = await self.ask("initialize", params, seconds)
        await self._send({"method": "notifications/initialized"})
        return result

    async def tools(self, seconds: float) -> frozenset[str]:
        """Return the names of all tools, whatever the number of pages."""
        names: set[str] = set()
        params: Json = {}
        while True:
            page = await self.ask("tools/list", params, seconds)
            names |= {str(tool.get("name")) for tool in page.get("tools", [])}
            if not page.get("nextCursor"):
                return frozenset(names)
            params = {"cursor": page["nextCursor"]}

    async def call(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        seconds: float,
        on_progress: OnProgress | None = None,
    ) -> Json:
        """Return the structure of a tool's result.

        Raises:
            NotProvedError: it is an error, or none came in time.
        """
        params: Json = {"name": tool, "arguments": dict(arguments)}
        if on_progress:
            params["_meta"] = {"progressToken": f"of-{tool}"}
        result = await self.ask("tools/call", params, seconds, on_progress)
        structure = result.get("structuredContent")
        if not result.get("isError") and isinstance(structure, dict):
            return structure
        texts = [str(part.get("text", "")) for part in result.get("content", [])]
        said = shortened(" ".join(texts).strip(), _MOST_SHOWN_ERROR)
        raise NotProvedError(f"{tool} failed: {said}", "Do what that error says, then try again.")

    async def ask(
        self, method: str, params: Json, seconds: float, on_progress: OnProgress | None = None
    ) -> Json:
        """Return the result of a request.

        Raises:
            NotProvedError: none came in time, the program has ended, or what came is no result.
        """
        self._last_id += 1
        if meta := self._envelope | params.get("_meta", {}):
            params = params | {"_meta": meta}
        with anyio.move_on_after(seconds):
            await self._send({"id": self._last_id, "method": method, "params": params})
            return await self._answer(method, on_progress)
        raise NotProvedError(
            f"{method} had no answer within {seconds:g} s.{await self._program.evidence()}",
            "A busy machine, a slow disk or a wrapper around the command can be the cause: try "
            "again when nothing else runs, or give the client a longer time limit for starting.",
        )

    async def _answer(self, method: str, on_progress: OnProgress | None) -> Json:
        while True:
            message = await self._next(method)
            if "method" in message:
                await self._hear(message, on_progress)
            elif message.get("id") == self._last_id:
                return _result_of(message, method)

    async def _next(self, method: str) -> Json:
        try:
            line = await self._program.next_line()
        except anyio.EndOfStream:
            raise NotProvedError(
                f"{await self._how_it_ended()} before {method} was answered."
                f"{await self._program.evidence()}",
                "Run the command in a terminal: it waits silently when all is well, and says what "
                "is wrong when it is not.",
            ) from None
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if isinstance(message, dict) and message.get("jsonrpc") == "2.0":
            return message
        shown = shortened(visible_line(line.decode(errors="replace").strip()), _MOST_SHOWN)
        raise NotProvedError(
            f"It wrote a line to stdout that is no message: {shown!r}.",
            "Only llama-mcp's own messages may go to stdout. Let a wrapper, a shell's start-up "
            "file or whatever prints it write to stderr, or nothing.",
        )

    async def _how_it_ended(self) -> str:
        code = await self._program.exit_code_within(1.0)
        return "It closed its stdout" if code is None else f"It ended with exit code {code}"

    async def _hear(self, message: Json, on_progress: OnProgress | None) -> None:
        """Take a notification; refuse a request, since this client has said that it takes none."""
        if "id" in message:
            error = {"code": _METHOD_NOT_FOUND, "message": "Method not found"}
            await self._send({"id": message["id"], "error": error})
        elif message["method"] == "notifications/progress" and on_progress:
            on_progress(message.get("params") or {})

    async def _send(self, message: Json) -> None:
        line = json.dumps({"jsonrpc": "2.0", **message}).encode()
        await self._program.write_line(line)


def _result_of(message: Json, method: str) -> Json:
    result = message.get("result")
    if isinstance(result, dict):
        return result
    error = message.get("error")
    said = error.get("message") if isinstance(error, dict) else error
    raise NotProvedError(f"{method} was refused: {shortened(str(said), _MOST_SHOWN_ERROR)}", REPORT)
