"""An MCP client over HTTP that does as little as possible, and the server that it speaks to.

One connection, kept; raw JSON-RPC of either era.
"""

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

from measuring.mcp_client import Turn, result_of, take_reply
from measuring.processes import PATIENCE_SECONDS, milliseconds, wait_for_end
from measuring.scene import LLAMA_MCP

VERSION = "2026-07-28"
LEGACY_VERSION = "2025-11-25"
_META = "io.modelcontextprotocol"
_CLIENT = {"name": "benchmark", "version": "1"}
ENVELOPE = {
    f"{_META}/protocolVersion": VERSION,
    f"{_META}/clientCapabilities": {},
    f"{_META}/clientInfo": _CLIENT,
}


class HttpServer:
    """One process that serves HTTP, with one person's token in a file."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, token_file: Path) -> None:
        self.process = process
        self.port = port
        self.token_file = token_file
        self.token = token_file.read_text(encoding="utf-8")

    @property
    def pid(self) -> int:
        """The server's process."""
        return self.process.pid

    def bridge_command(self) -> list[str]:
        """Return the command of a bridge to it."""
        url = f"http://127.0.0.1:{self.port}"
        return [*LLAMA_MCP, "connect", url, "--token-file", str(self.token_file)]


@contextmanager
def http_server(folder: Path, environment: Mapping[str, str]) -> Iterator[HttpServer]:
    """Serve HTTP on a free port until the context ends."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens, token_file = folder / "tokens.toml", folder / "token"
    add = [*LLAMA_MCP, "tokens", "add", "ann", "--scope", "admin", "--tokens", str(tokens)]
    made = subprocess.run(add, env=dict(environment), capture_output=True, text=True, check=True)
    token_file.touch(0o600)
    token_file.write_text(made.stdout.strip(), encoding="utf-8")
    command = [*LLAMA_MCP, "serve", "--http", "127.0.0.1:0", "--tokens", str(tokens)]
    with subprocess.Popen(command, env=dict(environment), stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        said = process.stderr.readline().decode()
        port = int(said.rpartition(":")[2].partition("/")[0])
        try:
            yield HttpServer(process, port, token_file)
        finally:
            process.terminate()
            wait_for_end(process)


class HttpClient:
    """One connection to the server, on which one request is made after the other."""

    def __init__(self, server: HttpServer, *, is_legacy: bool = False) -> None:
        self._connection = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_SECONDS)
        self._headers = {
            "Authorization": f"Bearer {server.token}",
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
        }
        self._is_legacy = is_legacy
        self._last_id = 0

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def leave(self) -> None:
        """End the session, and close the connection."""
        self._connection.close()
        self._connection.request("DELETE", "/mcp", headers=self._headers)
        self._connection.getresponse().read()
        self._connection.close()

    def hello(self) -> None:
        """Shake hands, where the era has that."""
        if not self._is_legacy:
            return
        params = {"protocolVersion": LEGACY_VERSION, "capabilities": {}, "clientInfo": _CLIENT}
        response = self._post("initialize", params)
        self._headers["Mcp-Session-Id"] = response.getheader("mcp-session-id", "")
        self._headers["MCP-Protocol-Version"] = LEGACY_VERSION
        for _ in _messages(response):
            pass
        body = json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"})
        self._connection.request("POST", "/mcp", body, self._headers)
        self._connection.getresponse().read()

    def take_session_of(self, other: "HttpClient") -> None:
        """Go on in the session of another connection."""
        self._headers = other._headers

    def listen(self) -> None:
        """Open the stream on which a client of the handshake era hears of changes."""
        self._connection.request("GET", "/mcp", headers=self._headers)
        self._connection.getresponse()

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool and return the structure of its result."""
        for message in _messages(self._post("tools/call", {"name": tool, "arguments": arguments})):
            if "method" not in message:
                structure: dict[str, Any] = result_of(message)["structuredContent"]
        return structure

    def chat(self, request: Mapping[str, Any]) -> Turn:
        """Call `chat` and see the reply to its end."""
        turn = Turn(time.perf_counter())
        patient = {**request, "wait_seconds": PATIENCE_SECONDS}
        meta = {"progressToken": self._last_id + 1}
        params = {"name": "chat", "arguments": patient, "_meta": meta}
        for message in _messages(self._post("tools/call", params)):
            if message.get("method") == "notifications/progress":
                if not turn.first_token and "message" in message["params"]:
                    turn.first_token = milliseconds(turn.begun_at)
            elif "method" not in message:
                turn.total = milliseconds(turn.begun_at)
                take_reply(turn, result_of(message)["structuredContent"])
        return turn

    def _post(self, method: str, params: dict[str, Any]) -> HTTPResponse:
        self._last_id += 1
        headers = self._headers
        if not self._is_legacy:
            params = {**params, "_meta": {**ENVELOPE, **params.get("_meta", {})}}
            own = {"MCP-Protocol-Version": VERSION, "Mcp-Method": method}
            headers = {**headers, **own, "Mcp-Name": params["name"]}
        message = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params}
        self._connection.request("POST", "/mcp", json.dumps(message), headers)
        response = self._connection.getresponse()
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {response.read()!r}")
        return response


def _messages(response: HTTPResponse) -> Iterator[dict[str, Any]]:
    if "json" in response.getheader("content-type", ""):
        yield json.loads(response.read())
        return
    while line := response.readline():
        if line.startswith(b"data:") and line[5:].strip():
            yield json.loads(line[5:])
