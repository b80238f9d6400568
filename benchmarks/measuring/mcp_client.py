"""An MCP client over pipes that does as little as possible, so that what is measured is the server.

It reads blocking, in raw JSON-RPC.
"""

import json
import os
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from measuring.processes import PATIENCE_SECONDS, milliseconds, wait_for_end

_READ_BYTES = 1 << 18


@dataclass
class Turn:
    """One reply as its client saw it; times in milliseconds since it was asked for."""

    begun_at: float
    first_token: float = 0.0
    total: float = 0.0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    tokens: int = 0
    session_id: str = ""
    text: str = ""


class Server:
    """An MCP server over pipes, spoken to in raw JSON-RPC."""

    def __init__(
        self, argv: Sequence[str], environment: Mapping[str, str], *, is_silent: bool = False
    ) -> None:
        """Spawn it.

        Args:
            argv: its command.
            environment: all that it inherits.
            is_silent: whether what it writes to stderr is dropped.
        """
        self.spawned_at = time.perf_counter()
        self._process = subprocess.Popen(
            argv,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if is_silent else None,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout.fileno()
        self._pending = b""
        self._lines: list[bytes] = []
        self._last_id = 0

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> float:
        """Close its stdin, wait for its end and return how many milliseconds that took."""
        began = time.perf_counter()
        if not self._stdin.closed:
            self._stdin.close()
        wait_for_end(self._process)
        return milliseconds(began)

    def ask(self, method: str, **params: Any) -> int:
        """Send a request and return its id."""
        self._last_id += 1
        self._write({"id": self._last_id, "method": method, "params": params})
        return self._last_id

    def ask_tool(self, name: str, arguments: Mapping[str, Any], *, progress: bool = False) -> int:
        """Send a call of a tool and return its id, which is its progress token too."""
        meta = {"_meta": {"progressToken": self._last_id + 1}} if progress else {}
        return self.ask("tools/call", name=name, arguments=dict(arguments), **meta)

    def hello(self) -> None:
        """Shake hands as an initialize-era client does."""
        client = {"name": "benchmark", "version": "1"}
        self.answer(
            self.ask("initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo=client)
        )
        self._write({"method": "notifications/initialized"})

    def receive(self) -> dict[str, Any]:
        """Return the next message."""
        while not self._lines:
            if not select.select([self._stdout], [], [], PATIENCE_SECONDS)[0]:
                raise TimeoutError("the server has fallen silent")
            piece = os.read(self._stdout, _READ_BYTES)
            if not piece:
                raise EOFError(f"the server has ended: {self._process.wait()}")
            *lines, self._pending = (self._pending + piece).split(b"\n")
            self._lines = lines[::-1]
        message: dict[str, Any] = json.loads(self._lines.pop())
        return message

    def answer(self, request_id: int) -> dict[str, Any]:
        """Return the result of a request; what comes before it is dropped."""
        while True:
            message = self.receive()
            if message.get("id") == request_id and "method" not in message:
                return result_of(message)

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool and return the structure of its result."""
        structure: dict[str, Any] = self.answer(self.ask_tool(tool, arguments))["structuredContent"]
        return structure

    def chat(self, *requests: Mapping[str, Any]) -> list[Turn]:
        """Send all these calls of `chat` at once and see every reply to its end."""
        turns: dict[int, Turn] = {}
        for request in requests:
            begun_at = time.perf_counter()
            patient = {**request, "wait_seconds": PATIENCE_SECONDS}
            turns[self.ask_tool("chat", patient, progress=True)] = Turn(begun_at)
        left = len(turns)
        while left:
            message = self.receive()
            if message.get("method") == "notifications/progress":
                turn = turns[message["params"]["progressToken"]]
                if not turn.first_token and "message" in message["params"]:
                    turn.first_token = milliseconds(turn.begun_at)
            elif message.get("id") in turns:
                turn = turns[message["id"]]
                turn.total = milliseconds(turn.begun_at)
                take_reply(turn, result_of(message)["structuredContent"])
                left -= 1
        return list(turns.values())

    def _write(self, message: Mapping[str, Any]) -> None:
        self._stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self._stdin.flush()


def result_of(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result that a message is."""
    result: dict[str, Any] = message.get("result") or {"isError": True}
    if result.get("isError"):
        raise RuntimeError(f"the server refused: {message}")
    return result


def take_reply(turn: Turn, reply: Mapping[str, Any]) -> None:
    """Note what the result of `chat` says."""
    usage = reply["usage"]
    turn.prompt_tokens, turn.tokens = usage["prompt_tokens"], usage["completion_tokens"]
    turn.cached_tokens = usage.get("cached_tokens", 0)
    turn.session_id, turn.text = reply["session_id"], reply["reply"]
