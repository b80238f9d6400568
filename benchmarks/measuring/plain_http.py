"""The baseline of the benchmarks: llama-server launched by hand and spoken to over plain HTTP."""

import atexit
import json
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from measuring.mcp_client import Turn
from measuring.processes import PATIENCE_SECONDS, milliseconds, wait_for_end

HOST = "127.0.0.1"
_READ_BYTES = 1 << 18


def free_port() -> int:
    """Return a port that nobody listens on at this moment."""
    with closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def current_run(home: Path) -> Path:
    """Return the run directory of the llama-server that llama-mcp launched last."""
    runs = home / "runs"
    return runs / str(json.loads((runs / "current.json").read_text())["run"])


def get(port: int, path: str) -> int | None:
    """Return the HTTP status of a GET; None when nobody listens."""
    try:
        with closing(socket.create_connection((HOST, port), timeout=2)) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            head = connection.recv(64).split(b" ", 2)
    except OSError:
        return None
    return int(head[1]) if len(head) == 3 else None


def wait_until_answering(port: int, poll_seconds: float) -> float:
    """Poll /health and then /props; return the moment when both have answered."""
    deadline = time.perf_counter() + PATIENCE_SECONDS
    while get(port, "/health") != 200 or get(port, "/props") != 200:
        if time.perf_counter() > deadline:
            raise TimeoutError(f"nothing answers on port {port}")
        time.sleep(poll_seconds)
    return time.perf_counter()


class HandLaunched:
    """A llama-server with the command line and environment of a run of llama-mcp."""

    def __init__(self, run: Path) -> None:
        launch = json.loads((run / "launch.json").read_text())
        argv: list[str] = launch["argv"]
        self.port = free_port()
        argv[argv.index("--port") + 1] = str(self.port)
        self.launched_at = time.perf_counter()
        nowhere = subprocess.DEVNULL
        self.process = subprocess.Popen(
            argv, env=launch["environment"], stdin=nowhere, stdout=nowhere, stderr=nowhere
        )
        atexit.register(self.end)

    def stop(self) -> float:
        """Send SIGTERM, wait for its end and return how many milliseconds that took."""
        began = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        wait_for_end(self.process)
        return milliseconds(began)

    def end(self) -> None:
        """Kill it if it still lives: nothing is left behind when a benchmark fails."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Stream:
    """One streamed chat completion."""

    def __init__(self, port: int, request: Mapping[str, Any]) -> None:
        """Connect and send the request.

        Args:
            port: llama-server's.
            request: the body, but for what asks for a stream with its usage.
        """
        body = {**request, "stream": True, "stream_options": {"include_usage": True}}
        content = json.dumps(body).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        self.turn = Turn(time.perf_counter())
        self.socket = socket.create_connection((HOST, port), timeout=PATIENCE_SECONDS)
        self.socket.sendall(head.encode() + content)
        self.is_over = False
        self._pending = b""
        self._pieces: list[str] = []

    def read(self) -> None:
        """Take what has arrived; waits when nothing has."""
        piece = self.socket.recv(_READ_BYTES)
        *lines, self._pending = (self._pending + piece).split(b"\n")
        for line in lines:
            # What lies between is the chunked encoding: each event is a chunk of its own.
            if line.startswith(b"data: {"):
                self._take(json.loads(line[6:]))
        if not piece or any(line.startswith(b"data: [DONE]") for line in lines):
            self.turn.total = milliseconds(self.turn.begun_at)
            self.turn.text = "".join(self._pieces)
            self.is_over = True

    def _take(self, chunk: Mapping[str, Any]) -> None:
        if "error" in chunk:
            raise RuntimeError(f"llama-server refused: {chunk}")
        for choice in chunk["choices"]:
            if content := choice["delta"].get("content"):
                self._pieces.append(content)
                if not self.turn.first_token:
                    self.turn.first_token = milliseconds(self.turn.begun_at)
        if usage := chunk.get("usage"):
            self.turn.prompt_tokens = usage["prompt_tokens"]
            self.turn.tokens = usage["completion_tokens"]
            self.turn.cached_tokens = usage["prompt_tokens_details"]["cached_tokens"]


def chat(
    port: int, requests: Sequence[Mapping[str, Any]], at_once: int | None = None
) -> list[Turn]:
    """See every reply to its end; send all requests at once, or so many at a time."""
    waiting = list(requests)[::-1]
    streams: list[Stream] = []
    with selectors.DefaultSelector() as selector:

        def send() -> None:
            streams.append(stream := Stream(port, waiting.pop()))
            selector.register(stream.socket, selectors.EVENT_READ, stream)

        for _ in range(min(at_once or len(waiting), len(waiting))):
            send()
        while selector.get_map():
            for key, _ in selector.select(PATIENCE_SECONDS):
                stream = key.data
                stream.read()
                if stream.is_over:
                    selector.unregister(stream.socket)
                    stream.socket.close()
                    if waiting:
                        send()
    return [stream.turn for stream in streams]
