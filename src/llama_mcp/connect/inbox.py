"""Lines of the client that wait, and the bytes of those that the server does not have yet."""

import os
import threading

from llama_mcp.connect.responses import MOST_BYTES

_CHUNK_BYTES = 64 * 1024
# One line of the greatest length and many that are short.
_MOST_HELD_BYTES = MOST_BYTES + 16 * 1024 * 1024
_MOST_LINES = 10_000


class LineTooLongError(Exception):
    """A line has more bytes than any message may have; it was passed over."""


class Inbox:
    """Between the thread that reads stdin and the one that sends: in order, and bounded."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lines: list[bytes | None] = []
        self._held_bytes = 0

    def put(self, line: bytes | None) -> None:
        """Add a line, None for the end; wait while there is no room."""
        with self._changed:
            self._changed.wait_for(lambda: line is None or self._has_room())
            self._lines.append(line)
            self._held_bytes += len(line or b"")
            self._changed.notify_all()

    def take(self) -> bytes | None:
        """Return the next line, None at the end; its bytes count until `release`."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._lines))
            line = self._lines.pop(0)
            self._changed.notify_all()
            return line

    def release(self, size: int) -> None:
        """Note that so many bytes are not held any more."""
        with self._changed:
            self._held_bytes -= size
            self._changed.notify_all()

    def _has_room(self) -> bool:
        return self._held_bytes < _MOST_HELD_BYTES and len(self._lines) < _MOST_LINES


class LineReader:
    """Reads lines from a descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._ended: list[bytes] = []
        self._begun: list[bytes] = []
        self._begun_bytes = 0
        self._is_at_end = False

    def next(self) -> bytes | None:
        """Return the next line that is not empty, without its end; None at the end of input.

        Raises:
            LineTooLongError: There was one that is too long.
        """
        while True:
            while self._ended:
                if line := self._ended.pop().strip(b" \t\r\n"):
                    return line
            if self._is_at_end:
                return None
            self._read()
            if self._begun_bytes > MOST_BYTES:
                self._skip()
                raise LineTooLongError

    def _read(self) -> None:
        data = _read(self._descriptor)
        self._is_at_end = not data
        *ended, rest = (data or b"\n").split(b"\n")
        if ended:
            self._ended = [b"".join([*self._begun, ended[0]]), *ended[1:]][::-1]
            self._begun, self._begun_bytes = [], 0
        if rest:
            self._begun.append(rest)
            self._begun_bytes += len(rest)

    def _skip(self) -> None:
        """Pass over the rest of a line."""
        self._begun, self._begun_bytes = [], 0
        while not self._ended and not self._is_at_end:
            self._read()
            if not self._ended:
                self._begun, self._begun_bytes = [], 0
        if self._ended:
            self._ended.pop()


def _read(descriptor: int) -> bytes:
    while True:
        try:
            return os.read(descriptor, _CHUNK_BYTES)
        except BlockingIOError:  # whoever shares it has set O_NONBLOCK
            import select

            select.select([descriptor], [], [])
        except OSError:
            return b""  # whoever wrote is gone
