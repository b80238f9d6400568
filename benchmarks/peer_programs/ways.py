"""One turn through each peer: plain HTTP, the `openai` package, and servers that speak MCP.

All talk to one llama-server behind the relay of `recording_relay`.
"""

import json
import os
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from measuring import plain_http
from measuring.mcp_client import Server
from measuring.processes import wait_for_end
from measuring.scene import LLAMA_MCP

from peer_programs.packages import PeerPackages

SYSTEM_PROMPT = "You are a helpful assistant."


@dataclass(frozen=True)
class Call:
    """When a turn began, had its first text (None: with the rest) and was done, for its caller."""

    begun_at: float
    first_text_at: float | None
    ended_at: float


def body(message: str, max_tokens: int) -> dict[str, Any]:
    """Return the request for a turn as llama-server takes it."""
    roles = {"system": SYSTEM_PROMPT, "user": message}
    messages = [{"role": role, "content": content} for role, content in roles.items()]
    return {"messages": messages, "max_tokens": max_tokens, "temperature": 0}


class Peer(ABC):
    """A way to have a turn, in a process of its own or (`pid` is None) in ours."""

    name: str
    speaks_mcp = True
    spawned_at = 0.0
    ready_at = 0.0
    pid: int | None = None

    @abstractmethod
    def turn(self, message: str, max_tokens: int) -> Call:
        """Have a turn."""

    @abstractmethod
    def close(self) -> None:
        """End its process."""

    def resident_mib(self) -> float:
        """Return the resident memory of its process; 0 if it has none."""
        resident = psutil.Process(self.pid).memory_info().rss if self.pid else 0
        return float(resident) / 2**20


class PlainHttp(Peer):
    """A socket, and nothing else."""

    name = "plain streaming HTTP"
    speaks_mcp = False

    def __init__(self, port: int) -> None:
        self._port = port

    def turn(self, message: str, max_tokens: int) -> Call:
        """Have a turn."""
        (turn,) = plain_http.chat(self._port, [body(message, max_tokens)])
        first, last = (turn.begun_at + ms / 1000 for ms in (turn.first_token, turn.total))
        return Call(turn.begun_at, first, last)

    def close(self) -> None:
        """Do nothing: there is no process."""


class OpenAiPackage(Peer):
    """A program with the `openai` package, which tells its own moments."""

    name = "the openai package"
    speaks_mcp = False

    def __init__(self, packages: PeerPackages, port: int) -> None:
        program = Path(__file__).with_name("openai_client.py")
        self.spawned_at = time.perf_counter()
        self._process = subprocess.Popen(
            [packages.python, str(program), str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.pid = self._process.pid
        self._line()
        self.ready_at = time.perf_counter()

    def turn(self, message: str, max_tokens: int) -> Call:
        """Have a turn."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(body(message, max_tokens)).encode() + b"\n")
        self._process.stdin.flush()
        return Call(**json.loads(self._line()))

    def close(self) -> None:
        """End the program."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        wait_for_end(self._process)

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


class McpPeer(Peer):
    """A server that speaks MCP, and the tool of it that has a turn."""

    tool: str
    text_comes_as_progress = False

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        self._server = Server(argv, environment, is_silent=True)
        self.spawned_at, self.pid = self._server.spawned_at, self._server.pid
        self._server.hello()
        self.ready_at = time.perf_counter()

    @abstractmethod
    def arguments(self, message: str, max_tokens: int) -> dict[str, Any]:
        """Return what its tool is called with."""

    def turn(self, message: str, max_tokens: int) -> Call:
        """Have a turn."""
        begun_at, first_text_at = time.perf_counter(), None
        request = self._server.ask_tool(
            self.tool, self.arguments(message, max_tokens), progress=True
        )
        while "result" not in (answer := self._server.receive()) or answer["id"] != request:
            if "error" in answer:
                raise RuntimeError(f"{self.name} refused: {answer}")
            is_text = self.text_comes_as_progress and "message" in answer.get("params", {})
            if is_text and first_text_at is None:
                first_text_at = time.perf_counter()
        ended_at = time.perf_counter()
        if answer["result"].get("isError"):
            raise RuntimeError(f"{self.name} refused: {answer}")
        return Call(begun_at, first_text_at, ended_at)

    def call(self, tool: str) -> dict[str, Any]:
        """Call another tool of it and return the structure of its result."""
        return self._server.call(tool)

    def close(self) -> None:
        """End the server."""
        self._server.close()


class LlamaMcp(McpPeer):
    """This product."""

    name = "llama-mcp"
    tool = "chat"
    text_comes_as_progress = True

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__(LLAMA_MCP, environment)

    def arguments(self, message: str, max_tokens: int) -> dict[str, Any]:
        """Return what `chat` is called with."""
        return {
            "message": message,
            "system_prompt": SYSTEM_PROMPT,
            "max_tokens": max_tokens,
            "temperature": 0,
        }


class Houtini(McpPeer):
    """@houtini/lm; its progress tells how much text there is, and not the text."""

    name = "@houtini/lm"
    tool = "chat"

    def __init__(self, packages: PeerPackages, home: Path, port: int) -> None:
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(home),
            "HOUTINI_LM_ENDPOINT_URL": f"http://{plain_http.HOST}:{port}",
            "HOUTINI_LM_MIN_TOKENS": "0",  # or max_tokens under 4,096 is ignored
        }
        super().__init__(packages.houtini, environment)

    def arguments(self, message: str, max_tokens: int) -> dict[str, Any]:
        """Return what `chat` is called with."""
        return {
            "message": message,
            "system": SYSTEM_PROMPT,
            "max_tokens": max_tokens,
            "temperature": 0,
        }


class LocalDelegate(McpPeer):
    """local-delegate-mcp; the cap of a reply follows from max_words."""

    name = "local-delegate-mcp"
    tool = "local_summarize"

    def __init__(self, packages: PeerPackages, home: Path, port: int) -> None:
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(home),
            "LOCAL_DELEGATE_BASE_URL": f"http://{plain_http.HOST}:{port}/v1",
            "LOCAL_DELEGATE_WEB": "0",  # its dashboard has one port for all
        }
        super().__init__([packages.local_delegate], environment)

    def arguments(self, message: str, _max_tokens: int) -> dict[str, Any]:
        """Return what `local_summarize` is called with: the least words."""
        return {"text": message, "max_words": 1}
