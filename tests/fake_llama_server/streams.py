"""Resumable streams: a chat with an X-Conversation-Id goes on when its reader has left.

As llama-server does it since May 2026 (llama.cpp: tools/server/server-stream.cpp).
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

from .faults import HOLD_POLL_SECONDS, Faults
from .http import (
    EVENT_STREAM,
    Connection,
    GoneError,
    Request,
    Response,
    error_response,
    json_response,
)

HEADER = "x-conversation-id"
LOOKUP = ("POST", "/v1/streams/lookup")
END = ("DELETE", "/v1/stream")
ROUTES = (LOOKUP, END, ("GET", "/v1/stream"))


@dataclass
class Stream:
    """What one chat has sent: the last ring_bytes of it, from any reader's place on."""

    id: str
    ring_bytes: int
    kept: bytes = b""
    total_bytes: int = 0
    is_done: bool = False
    is_cancelled: bool = False
    has_reader: bool = True
    started_at: int = field(default_factory=lambda: int(time.time()))
    completed_at: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def first_byte(self) -> int:
        return self.total_bytes - len(self.kept)

    def add(self, data: bytes) -> None:
        with self.changed:
            self.total_bytes += len(data)
            self.kept = (self.kept + data)[-self.ring_bytes :]
            self.changed.notify_all()

    def finish(self) -> None:
        with self.changed:
            self.is_done, self.completed_at = True, int(time.time())
            self.changed.notify_all()

    def cancel(self) -> None:
        with self.changed:
            self.is_cancelled = True
            self.changed.notify_all()

    def read_from(self, place: int) -> Iterator[bytes]:
        """Yield what there is from that byte on, and what comes, until the stream is over.

        It ends too for one who is so slow that the ring has lost the next byte.
        """
        while True:
            with self.changed:
                if place < self.first_byte:
                    return
                news = self.kept[max(0, place - self.first_byte) :]
                is_over = self.is_done or self.is_cancelled
                if not news and not is_over:
                    self.changed.wait()
                    continue
            yield news
            place += len(news)
            if is_over:
                return

    def report(self) -> dict[str, Any]:
        return {
            "conversation_id": self.id,
            "is_done": self.is_done,
            "total_bytes": self.total_bytes,
            "started_at": self.started_at,
            "completed_at": self.completed_at,
        }


class KeptConnection(Connection):
    """The connection of a chat whose client may leave: what is sent is kept, and goes on."""

    def __init__(self, client: Connection, stream: Stream) -> None:
        self.client = client
        self.stream = stream
        self.is_body = False
        self.bytes_per_chunk = self.bytes_per_send = 0
        self.closing = self.deaf = False

    def respond(self, response: Response, silent_close: bool = False) -> None:
        self.client.respond(response, silent_close)

    def begin_stream(self, content_type: str) -> None:
        self.client.bytes_per_chunk = self.bytes_per_chunk
        self.client.bytes_per_send = self.bytes_per_send
        self._tell(lambda: self.client.begin_stream(content_type))

    def send_chunk(self, data: bytes) -> None:
        self._stay()
        self.stream.add(data)
        self._tell(lambda: self.client.send_chunk(data))

    def end_stream(self) -> None:
        self.stream.finish()
        self._tell(self.client.end_stream)

    def pause(self, seconds: float) -> None:
        """Wait; raise GoneError as soon as the stream is ended, not when its client leaves."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._stay()
            self._tell(lambda: self.client.pause(0))
            with self.stream.changed:
                self.stream.changed.wait(min(left, HOLD_POLL_SECONDS))
        self._stay()

    def reset(self) -> NoReturn:
        self.client.reset()

    def _stay(self) -> None:
        if self.stream.is_cancelled:
            raise GoneError

    def _tell(self, send: Callable[[], None]) -> None:
        if not self.stream.has_reader:
            return
        try:
            send()
        except GoneError:
            self.stream.has_reader = False
            self.client.closing = True


class Streams:
    """All that the program knows of, by id."""

    def __init__(self) -> None:
        self._streams: dict[str, Stream] = {}
        self._lock = threading.Lock()

    def begin(self, connection: Connection, id: str, faults: Faults) -> KeptConnection:
        """Keep what is sent on the connection; a stream of the same id is ended."""
        stream = Stream(id, faults.stream_ring_bytes)
        with self._lock:
            old, self._streams[id] = self._streams.get(id), stream
        if old is not None:
            old.cancel()
        return KeptConnection(connection, stream)

    def drop(self, stream: Stream) -> None:
        """Forget it: it was refused, or is over before its end."""
        stream.cancel()
        with self._lock:
            if self._streams.get(stream.id) is stream:
                del self._streams[stream.id]

    def has_unfinished(self) -> bool:
        """Tell whether one is under way, which holds up the end of the program."""
        return any(not stream.is_done for stream in self._streams.values())

    def get(self, id: str) -> Stream | None:
        return self._streams.get(id)


def answer_streams(connection: Connection, request: Request, streams: Streams) -> None:
    route = (request.method, request.path)
    stream = streams.get(request.query.get("conv_id", ""))
    if route == LOOKUP:
        connection.respond(_lookup(request, streams))
    elif "conv_id" not in request.query:
        connection.respond(error_response(400, "Missing conversation id in path"))
    elif route == END:
        if stream is not None:
            streams.drop(stream)
        connection.respond(Response(204, b""))
    elif stream is None:
        connection.respond(error_response(404, "File Not Found"))
    else:
        _read_on(connection, stream, int(request.query.get("from", "0")))


def _lookup(request: Request, streams: Streams) -> Response:
    ids = json.loads(request.body).get("conversation_ids", [])
    found = [stream for id in ids if (stream := streams.get(id))]
    return json_response([stream.report() for stream in found])


def _read_on(connection: Connection, stream: Stream, place: int) -> None:
    if 0 <= place < stream.first_byte:
        connection.respond(error_response(400, "Stream offset lost, please restart"))
        return
    connection.begin_stream(EVENT_STREAM)
    is_within = 0 <= place <= stream.total_bytes
    for data in stream.read_from(place) if is_within else ():
        if data:
            connection.send_chunk(data)
    connection.end_stream()
