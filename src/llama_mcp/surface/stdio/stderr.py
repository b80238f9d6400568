"""stderr, which belongs to whoever started us: nobody ever waits until it is read.

A client that does not read its server's stderr lets the pipe fill (64 KiB on Linux), and a write to
a full pipe waits. So descriptor 2 becomes a pipe of our own: one thread empties it into a bounded
buffer, another writes the buffer to the true stderr. That covers all that is written to descriptor
2 or, while serving, 1: logging, tracebacks, warnings, stray prints, C code, children. What finds no
room is dropped and counted. Both threads are daemons: neither holds up the end of the process.
"""

import atexit
import faulthandler
import logging
import os
import stat
import sys
import threading
from collections import deque

from llama_mcp.surface.stdio.threads import CHUNK_BYTES, write_all
from llama_mcp.visible_text import visible, visible_line

# What a client that reads late still gets: thousands of lines.
CAPACITY_BYTES = 1024 * 1024
# What the end of the process waits for stderr to be read.
LAST_WRITE_SECONDS = 0.2


class Backlog:
    """A bounded buffer in front of a descriptor that may be full, broken or closed."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        # Each with how many bytes were dropped before it.
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._waiting_bytes = 0
        self._dropped_bytes = 0
        self._is_ended = False
        self._changed = threading.Condition()

    def put(self, data: bytes) -> None:
        """Take data to be written; never waits. What has no room is dropped and counted."""
        with self._changed:
            if self._dropped_bytes and self._waiting_bytes <= CAPACITY_BYTES // 2:
                # It goes on with a whole line.
                begun, line_end, data = data.partition(b"\n")
                self._dropped_bytes += len(begun) + len(line_end)
            elif self._dropped_bytes or self._waiting_bytes + len(data) > CAPACITY_BYTES:
                self._dropped_bytes += len(data)
                data = b""
            if data:
                self._waiting.append((self._dropped_bytes, data))
                self._waiting_bytes += len(data)
                self._dropped_bytes = 0
            self._changed.notify()

    def end(self) -> None:
        """Let write_out return when all is written."""
        with self._changed:
            self._is_ended = True
            self._changed.notify()

    def write_out(self) -> None:
        """Write what comes until the end; says once for each gap how much is missing."""
        missing, is_line_begun = 0, False
        while (entry := self._next()) is not None:
            dropped, data = entry
            missing += dropped
            try:
                write_all(self._descriptor, _notice(missing, is_line_begun) + data)
            except OSError:
                missing += len(data)
                continue
            missing, is_line_begun = 0, bool(data) and not data.endswith(b"\n")

    def _next(self) -> tuple[int, bytes] | None:
        """Return what is to be written next, with what is missing before it; None at the end."""
        with self._changed:
            while not (self._waiting or self._dropped_bytes or self._is_ended):
                self._changed.wait()
            if self._waiting:
                dropped, data = self._waiting.popleft()
                self._waiting_bytes -= len(data)
                return dropped, data
            dropped, self._dropped_bytes = self._dropped_bytes, 0
            return (dropped, b"") if dropped else None


def free_stderr() -> None:
    """From now on whoever writes to stderr never waits for its reader.

    Standard descriptors that are closed become the null device, so that no file that is opened
    later takes their place.
    """
    _open_missing()
    true_stderr = os.dup(2)
    reading, writing = os.pipe()
    os.dup2(writing, 2)
    os.close(writing)
    backlog = Backlog(true_stderr)
    emptying = threading.Thread(target=_empty, args=(reading, backlog), name="stderr", daemon=True)
    writing_out = threading.Thread(target=backlog.write_out, name="stderr writer", daemon=True)
    emptying.start()
    writing_out.start()
    if faulthandler.is_enabled():
        # Its last words come when no thread runs any more.
        faulthandler.enable(_reopened(true_stderr))
    atexit.register(_finish, true_stderr, writing_out)


def log_to_stderr(level: str) -> None:
    """Write log records of this level and worse to stderr, each on a line of its own."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LogFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])


class LogFormatter(logging.Formatter):
    """Formats records so that no text in one can pass for another, or command a terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        """Return the record as one line."""
        return visible_line(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and under it the traceback if there is one."""
        return visible(super().format(record))


def _empty(reading: int, backlog: Backlog) -> None:
    while data := _read(reading):
        backlog.put(data)
    backlog.end()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, CHUNK_BYTES)
    except OSError:
        return b""


def _finish(true_stderr: int, writing_out: threading.Thread) -> None:
    """Write what waits, but not for long; whatever is said later goes straight to stderr."""
    # The pipe ends when descriptors 2 and 1 (while serving, a copy of 2) let go of it.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    writing_out.join(LAST_WRITE_SECONDS)
    if not writing_out.is_alive():
        os.dup2(true_stderr, 2)


def _notice(missing: int, is_line_begun: bool) -> bytes:
    if not missing:
        return b""
    head = "\n" if is_line_begun else ""
    return f"{head}llama-mcp: {missing} bytes are missing here: stderr took no more.\n".encode()


def _open_missing() -> None:
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
    if sys.stderr is None:  # Python's, when it was closed
        sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)


def _reopened(descriptor: int) -> int:
    """Return a pipe's descriptor in which no write waits; it alone changes. Linux only."""
    if sys.platform == "linux" and stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        try:
            return os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return descriptor
    return descriptor
