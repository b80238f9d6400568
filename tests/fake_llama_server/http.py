"""HTTP/1.1 on a bare socket: every byte, and every missing byte, is ours to choose."""

import json
import select
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import parse_qsl

JSON = "application/json; charset=utf-8"
EVENT_STREAM = "text/event-stream"
REASONS = {
    200: "OK",
    204: "No Content",
    302: "Found",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}
ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    501: "not_supported_error",
    503: "unavailable_error",
}


class GoneError(Exception):
    """The client has left, or the connection is over."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str  # without the query
    headers: dict[str, str]  # names in lower case
    body: bytes
    query: dict[str, str]


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[str, ...] = ()


def to_json(value: Any) -> bytes:
    """As llama-server writes it: compact UTF-8; lone surrogates can only be escaped."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def json_response(value: Any, status: int = 200) -> Response:
    return Response(status, to_json(value))


def error_response(code: int, message: str, **more: Any) -> Response:
    kind = more.pop("type", ERROR_TYPES.get(code, "server_error"))
    return json_response({"error": {"code": code, "message": message, "type": kind, **more}}, code)


class Connection:
    """One client: requests in, bytes out; leaving is noticed at every pause and every send."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.reader = sock.makefile("rb")
        self.closing = False  # after this answer
        self.deaf = False  # goes on although the client has left
        # 0: as they come; else what is sent is cut, whatever that splits.
        self.bytes_per_chunk = 0
        self.bytes_per_send = 0

    def read_request(self) -> Request:
        start = self._line().split(" ")
        if len(start) != 3:
            raise GoneError
        headers = {}
        while line := self._line():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = self.reader.read(int(headers.get("content-length", "0")))
        self.closing = headers.get("connection", "").lower() == "close"
        path, _, query = start[1].partition("?")
        return Request(start[0], path, headers, body, dict(parse_qsl(query)))

    def respond(self, response: Response, silent_close: bool = False) -> None:
        self.closing = self.closing or response.status >= 400
        announce = self.closing and not silent_close
        self._head(
            response.status,
            response.content_type,
            *response.headers,
            f"Content-Length: {len(response.body)}",
            "Connection: close" if announce else "Keep-Alive: timeout=5, max=100",
            body=response.body,
        )

    def begin_stream(self, content_type: str) -> None:
        self._head(
            200,
            content_type,
            "X-Accel-Buffering: no",
            "Transfer-Encoding: chunked",
            "Keep-Alive: timeout=5, max=100",
        )

    def send_chunk(self, data: bytes) -> None:
        for part in _cut(data, self.bytes_per_chunk):
            self.send(b"%x\r\n%s\r\n" % (len(part), part))

    def end_stream(self) -> None:
        self.send(b"0\r\n\r\n")

    def send(self, data: bytes) -> None:
        try:
            for piece in _cut(data, self.bytes_per_send):
                self.sock.sendall(piece)
        except OSError as error:
            if not self.deaf:
                raise GoneError from error

    def pause(self, seconds: float) -> None:
        """Wait; raise GoneError as soon as the client leaves."""
        until = time.monotonic() + seconds
        if not self.deaf:
            self._notice_leaving(seconds)
        time.sleep(max(0.0, until - time.monotonic()))

    def hang(self) -> NoReturn:
        """Stay silent until the client leaves."""
        while True:
            self.pause(3600)

    def reset(self) -> NoReturn:
        """End the connection with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()
        raise GoneError

    def close(self) -> None:
        self.reader.close()
        self.sock.close()

    def _notice_leaving(self, seconds: float) -> None:
        """Listen so long, or until there is a next request to see."""
        try:
            readable = select.select([self.sock], [], [], seconds)[0]
            if readable and not self.sock.recv(1, socket.MSG_PEEK):
                raise GoneError
        except OSError as error:
            raise GoneError from error

    def _head(self, status: int, content_type: str, *headers: str, body: bytes = b"") -> None:
        lines = [
            f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}",
            "Server: llama.cpp",
            f"Content-Type: {content_type}",
            *headers,
        ]
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    def _line(self) -> str:
        try:
            line = self.reader.readline(65536)
        except OSError as error:
            raise GoneError from error
        if not line:
            raise GoneError
        return line.decode("latin-1").rstrip("\r\n")


def _cut(data: bytes, size: int) -> list[bytes]:
    step = size or len(data) or 1
    return [data[start : start + step] for start in range(0, len(data), step)]
