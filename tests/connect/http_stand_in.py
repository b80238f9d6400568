"""A server of HTTP that answers as it is told, for what no real one does on demand."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Asked:
    """One request as it came."""

    method: str
    headers: dict[str, str]
    body: bytes


# Given a request, writes its response to the connection; it is closed afterwards.
Answer = Callable[[Asked, socket.socket], None]


@dataclass
class StandIn:
    """Where it listens, what it was asked, and what it answers now."""

    url: str
    answer: Answer
    asked: list[Asked] = field(default_factory=list)


def response(status: str, *headers: str, body: str = "") -> Answer:
    """Answer always the same."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body.encode())}"]
    text = "\r\n".join([*lines, "Connection: close", "", body])

    def answer(_: Asked, wire: socket.socket) -> None:
        wire.sendall(text.encode())

    return answer


def raw(text: bytes) -> Answer:
    """Answer with these bytes, whatever they are."""

    def answer(_: Asked, wire: socket.socket) -> None:
        wire.sendall(text)

    return answer


@contextmanager
def stand_in(answer: Answer) -> Iterator[StandIn]:
    """Serve until the context ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = StandIn(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", answer)
        is_over = threading.Event()

        def serve() -> None:
            while not is_over.is_set():
                wire, _ = listener.accept()
                threading.Thread(target=_serve_one, args=(server, wire), daemon=True).start()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server
        finally:
            is_over.set()
            with suppress(OSError):
                socket.create_connection(listener.getsockname()).close()
            thread.join()


def _serve_one(server: StandIn, wire: socket.socket) -> None:
    with wire, wire.makefile("rb") as file, suppress(OSError):
        method = file.readline().decode().partition(" ")[0]
        if not method:
            return
        headers: dict[str, str] = {}
        while line := file.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = file.read(int(headers.get("content-length", "0")))
        asked = Asked(method, headers, body)
        server.asked.append(asked)
        server.answer(asked, wire)
