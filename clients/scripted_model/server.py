"""Serves the scripted model on loopback, in each dialect, and records what it was asked."""

import json
import sys
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Protocol, Self

from . import anthropic_messages, gemini_content, openai_chat, openai_responses
from .scenario import Asked, Scenario, ToolCall, next_move, steps_done


class Dialect(Protocol):
    """How one maker's API asks a model and is answered."""

    PATH: str

    def read(self, body: dict[str, Any]) -> Asked:
        """Return what a request shows and holds."""

    def whole(self, move: ToolCall | str, number: int) -> dict[str, Any]:
        """Return the answer to a request that does not stream."""

    def events(self, move: ToolCall | str, number: int) -> Iterator[dict[str, Any]]:
        """Yield the events of a streamed answer."""


DIALECTS: tuple[Dialect, ...] = (
    anthropic_messages,
    gemini_content,
    openai_chat,
    openai_responses,
)


@dataclass(frozen=True)
class Exchange:
    """A request and what the model did."""

    asked: Asked
    move: ToolCall | str


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler], errors: list[str]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self._errors = errors

    def handle_error(self, request: object, client_address: object) -> None:
        """Note what went wrong, unless the client was only gone."""
        if not isinstance(sys.exception(), ConnectionError):
            self._errors.append(traceback.format_exc())


class ScriptedModel:
    """The model, as a context manager: it serves until the context ends.

    Args:
        scenario: What it does in every conversation in which it is offered our tools.
        keeps_silent: Whether it answers no more when the scenario is over, so that a client can
            be ended while it waits.
    """

    def __init__(self, scenario: Scenario, *, keeps_silent: bool = False) -> None:
        self.exchanges: list[Exchange] = []
        self.others: list[str] = []
        """Requests that are no question to a model: method and path."""
        self.errors: list[str] = []
        """What went wrong here."""
        self.is_over = threading.Event()
        self._scenario = scenario
        self._keeps_silent = keeps_silent
        self._closed = threading.Event()
        self._server = _Server(self._handler(), self.errors)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, dialect: Dialect, body: dict[str, Any], *, streams: bool) -> bytes:
        """Return the body of the answer, as JSON or as server-sent events."""
        asked = dialect.read(body)
        move = next_move(self._scenario, asked)
        self.exchanges.append(Exchange(asked, move))
        number = len(self.exchanges)
        if steps_done(self._scenario, asked) == len(self._scenario):
            self.is_over.set()
            if self._keeps_silent:
                self._closed.wait()
        if not streams:
            return json.dumps(dialect.whole(move, number)).encode()
        events = [_event(data) for data in dialect.events(move, number)]
        return "".join([*events, "data: [DONE]\n\n" * (dialect.PATH == openai_chat.PATH)]).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                dialect = _dialect_of(self.path)
                if dialect is None:
                    model.others.append(f"POST {self.path}")
                    return self._send(404, "application/json", b"{}")
                body = json.loads(content)
                streams = bool(body.get("stream")) or ":stream" in self.path
                kind = "text/event-stream" if streams else "application/json"
                return self._send(200, kind, model.answer(dialect, body, streams=streams))

            def do_GET(self) -> None:
                model.others.append(f"GET {self.path}")
                self._send(404, "application/json", b"{}")

            def do_CONNECT(self) -> None:
                model.others.append(f"CONNECT {self.path}")
                self._send(403, "text/plain", b"")

            def do_HEAD(self) -> None:
                self._send(200, "application/json", b"")

            def _send(self, status: int, kind: str, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing: what was asked is recorded."""

        return Handler


def _dialect_of(path: str) -> Dialect | None:
    route = path.partition("?")[0]
    for dialect in DIALECTS:
        if route == dialect.PATH:
            return dialect
    if route.startswith(gemini_content.PATH) and route.endswith("enerateContent"):
        return gemini_content
    return None


def _event(data: dict[str, Any]) -> str:
    name = f"event: {data['type']}\n" if "type" in data else ""
    return f"{name}data: {json.dumps(data)}\n\n"
