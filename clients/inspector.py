"""Takes the walk with the MCP Inspector's two command lines.

    python -m clients.inspector NODE COMMAND legacy|modern

NODE is the Node to run it with, COMMAND the installed llama-mcp; its settings are this process's
LLAMA_MCP_ variables. `inspector --cli` starts a server for every command: it lists, starts and
leaves. `mcpdo` keeps a connection, on which the rest is done. The Inspector shows no progress, so
the wire is recorded; and it cancels no request, so the reply is cancelled by the tool that is there
for such clients. What was done is printed as one JSON line.
"""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CLIENTS = Path(__file__).parent / "node_modules/@modelcontextprotocol/inspector/clients"
STATUS_URI = "llama://server/status"
INDEX_URI = "llama://sessions"
CONNECTION = "llama-mcp"
PROGRESS_TOKEN = 7
# Long enough for a machine that other work shares; the Inspector's own limit is 15 s.
PATIENCE_SECONDS = 300
CONNECT_TIMEOUT_MS = PATIENCE_SECONDS * 1000
LONG_REPLY_TOKENS = 20_000


class Inspector:
    """The two programs, with an environment in which they touch nothing of the user's."""

    def __init__(self, node: str, command: str, era: str, folder: Path) -> None:
        self._node = node
        self._command = command
        self._era = era
        self._settings = {k: v for k, v in os.environ.items() if k.startswith("LLAMA_MCP_")}
        self.wire = folder / "wire.jsonl"
        self._config = folder / "mcp.json"
        recorded = ["-c", '"$0" | tee "$1"', command, str(self.wire)]
        server = {
            "command": "sh",
            "args": recorded,
            "env": self._settings,
            "connectionTimeout": CONNECT_TIMEOUT_MS,
        }
        self._config.write_text(json.dumps({"mcpServers": {CONNECTION: server}}))
        self._environment = os.environ | {
            "HOME": str(folder),
            "MCP_INSPECTOR_SECRET_STORE": "file",
            "MCP_INSPECTOR_DAEMON_DIR": str(folder / "daemon"),
            "MCP_INSPECTOR_DAEMON_TOKEN": secrets.token_urlsafe(16),
        }

    def cli(self, method: str, *arguments: str) -> dict[str, Any]:
        """Run one command of `inspector --cli` and return its result."""
        program = [self._node, str(CLIENTS / "launcher/build/index.js"), "--cli", self._command]
        settings = [word for pair in self._settings.items() for word in ("-e", "=".join(pair))]
        options = ["--protocol-era", self._era, "--format", "json", "--method", method]
        options += ["--connect-timeout", str(CONNECT_TIMEOUT_MS)]
        output = self._run([*program, *settings, *options, *arguments])
        result: dict[str, Any] = json.loads(output)["result"]
        return result

    def do(self, *arguments: str) -> dict[str, Any]:
        """Run one command of `mcpdo` and return what it prints."""
        result: dict[str, Any] = json.loads(self._run([*self._mcpdo(), *arguments]))
        return result

    def on_connection(self, *arguments: str) -> dict[str, Any]:
        """Run one command of `mcpdo` on the connection."""
        return self.do(f"@{CONNECTION}", *arguments)

    def call(self, tool: str, *arguments: str, **values: Any) -> dict[str, Any]:
        """Call a tool on the connection and return its structure."""
        given = [f"{name}:={json.dumps(value)}" for name, value in values.items()]
        structure: dict[str, Any] = self.on_connection("tools/call", tool, *given, *arguments)[
            "structuredContent"
        ]
        return structure

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Hold a connection, and end mcpdo's daemon afterwards."""
        try:
            self.do("connect", CONNECTION, "--config", str(self._config), "--era", self._era)
            yield
            self.do("disconnect", CONNECTION)
        finally:
            self.do("daemon", "stop")

    @contextmanager
    def subscribed(self, uri: str, heard: Path) -> Iterator[None]:
        """Let the Inspector write to a file what it hears of a resource."""
        command = [*self._mcpdo(), f"@{CONNECTION}", "resources/subscribe", uri]
        with (
            heard.open("wb") as output,
            subprocess.Popen(command, stdout=output, env=self._environment) as listener,
        ):
            try:
                wait_until(lambda: '"subscribed"' in heard.read_text(), "the subscription")
                yield
            finally:
                listener.terminate()

    def _mcpdo(self) -> list[str]:
        return [self._node, str(CLIENTS / "mcpdo/build/mcp-bin.js"), "--format", "json"]

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=self._environment,
            timeout=PATIENCE_SECONDS,
        )
        output = done.stdout.decode()
        assert done.returncode == 0, f"{command[2:]}: exit code {done.returncode}\n{output}"
        return output


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait until the condition holds; fail with what was waited for when it never does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.02)


def look_around(inspector: Inspector) -> None:
    """List everything and start a llama-server with `inspector --cli`."""
    # --strict fails on a schema that some client or model could not take.
    tools = inspector.cli("tools/list", "--strict")["tools"]
    assert {"start_llama_server", "chat"} <= {tool["name"] for tool in tools}
    resources = inspector.cli("resources/list")["resources"]
    assert {STATUS_URI, INDEX_URI} <= {resource["uri"] for resource in resources}
    assert len(inspector.cli("resources/templates/list")["resourceTemplates"]) >= 2
    prompts = inspector.cli("prompts/list")["prompts"]
    assert {"ask", "go_on"} <= {prompt["name"] for prompt in prompts}
    started = inspector.cli("tools/call", "--tool-name", "start_llama_server")
    assert started["structuredContent"]["state"] == "ready", started


def chat(inspector: Inspector) -> dict[str, Any]:
    """Chat, and hold what was told on the way against the reply."""
    asked = ["--metadata", f"progressToken={PROGRESS_TOKEN}"]
    reply = inspector.call("chat", *asked, message="Hello", max_tokens=40, temperature=0)
    assert reply["status"] == "complete", reply
    wait_until(
        lambda: f"session_id={reply['session_id']}" in inspector.wire.read_text(), "a record"
    )
    wait_until(lambda: inspector.wire.read_text().endswith("\n"), "a whole record")
    frames = [json.loads(line) for line in inspector.wire.read_text().splitlines()]
    told = [frame["params"] for frame in frames if frame.get("method") == "notifications/progress"]
    assert all(step["progressToken"] == PROGRESS_TOKEN for step in told)
    assert reply["reply"] and "".join(step.get("message", "") for step in told) == reply["reply"]
    return reply


def cancel(inspector: Inspector, session_id: str) -> None:
    """Leave a long reply after a moment, and cancel it."""
    given = {"session_id": session_id, "message": "Go on", "max_tokens": LONG_REPLY_TOKENS}
    assert inspector.call("chat", **given, wait_seconds=0)["status"] in ("in_progress", "waiting")
    assert inspector.call("cancel_reply", session_id=session_id)["status"] == "cancelled"


def read(inspector: Inspector, uri: str) -> Any:
    """Return the data of a resource."""
    return json.loads(inspector.on_connection("resources/read", uri)["contents"][0]["text"])


def use(inspector: Inspector, heard: Path) -> None:
    """Do on one connection what needs one."""
    with inspector.subscribed(STATUS_URI, heard):
        assert inspector.call("start_llama_server")["state"] == "ready"
        wait_until(lambda: "resources/updated" in heard.read_text(), "hearing of the start")
    assert read(inspector, STATUS_URI)["state"] == "ready"
    reply = chat(inspector)
    data = read(inspector, f"{INDEX_URI}/{reply['session_id']}.json")
    assert data["turns"][0]["reply"] == reply["reply"]
    cancel(inspector, reply["session_id"])
    # llama-server frees the slot of the cancelled reply a moment after it is cancelled.
    wait_until(lambda: not inspector.call("status")["slots"]["busy"], "that no slot is busy")
    assert inspector.call("stop_llama_server")["state"] == "stopped"


def main(node: str, command: str, era: str) -> None:
    """Take the walk in one era."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inspector = Inspector(node, command, era, folder)
        look_around(inspector)
        with inspector.connected():
            use(inspector, folder / "heard")
            version = inspector.do("connections/show", f"@{CONNECTION}")["protocolVersion"]
    done = ["list", "subscribe", "start", "chat with progress", "read", "cancel", "stop"]
    print(json.dumps({"version": version, "done": done}))


if __name__ == "__main__":
    main(*sys.argv[1:])
