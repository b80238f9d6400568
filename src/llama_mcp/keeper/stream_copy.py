"""One reply under way, copied from llama-server into the run folder by a thread of its own.

llama-server goes on with a stream whose reader is gone, but holds its last 4 MiB only, and a
finished one for 300 s (llama.cpp: tools/server/server-stream.cpp). The thread reads live, so that
neither matters. It never stops in between: one who reads the stream from llama-server beside it
does no harm, and may end again.

Imported when the first stream has to be kept: most keepers never do, and http.client costs memory.
"""

import contextlib
import http.client
import json
import os
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

from llama_mcp.keeper import run_dir
from llama_mcp.keeper.run_dir import DONE, LOST, STOPPED

HOST = "127.0.0.1"
# For a read: llama-server may read a prompt for minutes, and then one connection follows another.
READ_SECONDS = 60.0
ANSWER_SECONDS = 5.0
# A stream may be registered before llama-server knows of it; a write may meet a full disk.
TRIES = 10
BETWEEN_TRIES_SECONDS = 0.5
PIECE_BYTES = 65536
# What talking to a llama-server raises that ends, hangs or talks nonsense.
_BROKEN = (OSError, http.client.HTTPException)
_LAST_EVENT = b"data: [DONE]\n\n"


class LlamaServer:
    """What is asked of llama-server; every call may take as long as its time limit."""

    def __init__(self, port: int, api_key: str | None) -> None:
        """Take its port, and the key that it asks for."""
        self._port = port
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}

    def read_stream(self, stream_id: str, first_byte: int, take: Callable[[bytes], None]) -> int:
        """Give the body from that byte on piece by piece, as long as it comes.

        Returns:
            The HTTP status; 0 where there was none.

        Raises:
            OSError: only what `take` raises.
        """
        query = urllib.parse.urlencode({"conv_id": stream_id, "from": first_byte})
        with self._answer("GET", f"/v1/stream?{query}", READ_SECONDS) as response:
            while response and response.status == http.client.OK and (piece := _next(response)):
                take(piece)
            return response.status if response else 0

    def look_up(self, stream_ids: list[str]) -> dict[str, dict[str, Any]]:
        """Return what llama-server says of each stream that it knows; nothing without an answer."""
        body = json.dumps({"conversation_ids": stream_ids})
        with self._answer("POST", "/v1/streams/lookup", ANSWER_SECONDS, body) as response:
            try:
                found = json.loads(response.read()) if response else []
                return {stream["conversation_id"]: stream for stream in found}
            except (*_BROKEN, ValueError, TypeError, KeyError):
                return {}

    def get(self, path: str, seconds: float) -> bytes:
        """Return what a GET endpoint answers; nothing when it refuses or does not in time."""
        with self._answer("GET", path, seconds) as response:
            try:
                is_answer = response is not None and response.status == http.client.OK
                return response.read() if response and is_answer else b""
            except _BROKEN:
                return b""

    def end_stream(self, stream_id: str) -> None:
        """Stop what is generated for it; whoever reads it sees the end of the body."""
        query = urllib.parse.urlencode({"conv_id": stream_id})
        with self._answer("DELETE", f"/v1/stream?{query}", ANSWER_SECONDS):
            pass

    @contextlib.contextmanager
    def _answer(
        self, method: str, path: str, seconds: float, body: str | None = None
    ) -> Iterator[http.client.HTTPResponse | None]:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=seconds)
        try:
            response = None
            with contextlib.suppress(*_BROKEN):
                connection.request(method, path, body, self._headers)
                response = connection.getresponse()
            yield response
        finally:
            connection.close()


def _next(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read1(PIECE_BYTES)
    except _BROKEN:
        return b""


class StreamCopy:
    """The copy of one stream: its body file, and the record that says how it ended."""

    def __init__(
        self,
        folder: str,
        stream_id: str,
        first_byte: int,
        server: LlamaServer,
        say: Callable[[str], None],
    ) -> None:
        """Take the run folder, which stream is copied from which byte on, and who is told of it."""
        self.id = stream_id
        self._folder = folder
        self._server = server
        self._say = say
        self.first_byte = self.next_byte = first_byte
        self._tail = b""
        self._why: str | None = None
        self._lock = threading.Lock()
        self._bytes_at_start = 0
        self.has_caught_up = threading.Event()
        """It has all that llama-server had when it began, and reads live."""
        self.is_over = threading.Event()

    def start(self) -> None:
        """Begin to copy."""
        self._tell(f"from byte {self.first_byte} on")
        threading.Thread(target=self._copy, daemon=True).start()

    def end(self, why: str) -> None:
        """Have llama-server end the stream; the copy ends with it, or soon without an answer."""
        with self._lock:
            is_asked, self._why = self._why is not None, self._why or why
        if not is_asked:
            threading.Thread(target=self._end, daemon=True).start()

    def conclude(self, why: str, *, is_done: bool = False) -> None:
        """Write the record of the end, unless it is there, or nobody wants the copy any more.

        Raises:
            OSError: it cannot be written.
        """
        with self._lock:
            if self.is_over.is_set():
                return
            is_done = is_done or self._tail.endswith(_LAST_EVENT)
            end = {
                "from_byte": self.first_byte,
                "is_done": is_done,
                "why": DONE if is_done else self._why or why,
            }
            if os.path.exists(self._path(run_dir.STREAM_RECORD)):
                run_dir.write_whole(self._path(run_dir.STREAM_END), end)
                self._tell(f"up to byte {self.next_byte}: {end['why']}")
            self.is_over.set()

    def remove(self) -> None:
        """Remove its files: the archive has all that they hold."""
        for ending in (self._body, run_dir.STREAM_END):
            with contextlib.suppress(OSError):
                os.unlink(self._path(ending))

    def _copy(self) -> None:
        tries = 0
        self._bytes_at_start = self._look_up().get("total_bytes", 0)
        self._note_place()
        while not self.is_over.is_set():
            with contextlib.suppress(OSError):  # a full disk: once more, from where it is
                is_known = self._copy_once()
                tries = 0 if is_known else tries + 1
                if not is_known and (self._why or tries >= TRIES):
                    self.conclude(LOST)
            self.is_over.wait(BETWEEN_TRIES_SECONDS)

    def _copy_once(self) -> bool:
        """Copy what comes; conclude at its end. Tell whether llama-server still knows of it."""
        with open(self._open_body(), "ab", buffering=0) as body:
            status = self._server.read_stream(self.id, self.next_byte, lambda p: self._add(body, p))
        if status == 400:  # llama-server holds less of it by now: nobody can read on
            self.end(LOST)
            return False
        found = self._look_up()
        if found.get("is_done") and found.get("total_bytes", 0) <= self.next_byte:
            self.conclude(DONE, is_done=True)
        return bool(found)

    def _look_up(self) -> dict[str, Any]:
        return self._server.look_up([self.id]).get(self.id, {})

    def _open_body(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        return os.open(self._path(self._body), flags, 0o600)

    def _add(self, body: Any, piece: bytes) -> None:
        while piece and not self.is_over.is_set():
            written = body.write(piece)
            with self._lock:
                self.next_byte += written
                self._tail = (self._tail + piece[:written])[-len(_LAST_EVENT) :]
            piece = piece[written:]
            self._note_place()

    def _tell(self, event: str) -> None:
        # Who knows the whole id can read the stream.
        self._say(f"reply {self.id[:8]} is kept {event}")

    def _note_place(self) -> None:
        if self.next_byte >= self._bytes_at_start:
            self.has_caught_up.set()

    def _end(self) -> None:
        self._server.end_stream(self.id)
        # Where it does not answer, the copy waits for bytes that may never come.
        if not self.is_over.wait(ANSWER_SECONDS):
            with contextlib.suppress(OSError):
                self.conclude(STOPPED)

    @property
    def _body(self) -> str:
        return f".{self.first_byte}{run_dir.STREAM_BODY}"

    def _path(self, ending: str) -> str:
        return run_dir.stream_file(self._folder, self.id, ending)
