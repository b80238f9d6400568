"""Descriptors that no event loop can wait for, as asyncio transports: a thread sits at each.

That is what Windows' pipes and consoles are, and files and terminals everywhere. A thread that sits
in read() or write() cannot be called back, so both are daemons: they never hold up the end of the
process.
"""

import asyncio
import os
import queue
import select
import threading
from collections.abc import Callable
from typing import Any

CHUNK_BYTES = 64 * 1024


class ReadingThread(asyncio.ReadTransport):
    """Feeds a protocol with what can be read from a descriptor."""

    def __init__(self, descriptor: int, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._is_paused = False
        self._is_closing = False
        self._may_read = threading.Event()
        protocol.connection_made(self)
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    def pause_reading(self) -> None:
        """Read no more until resume_reading, but for one chunk that may be under way."""
        self._is_paused = True

    def resume_reading(self) -> None:
        """Go on reading."""
        self._is_paused = False
        self._may_read.set()

    def is_closing(self) -> bool:
        """Tell whether what is read is dropped."""
        return self._is_closing

    def close(self) -> None:
        """Drop what is read from now on."""
        self._is_closing = True

    def _read(self) -> None:
        data = b"?"
        while data:
            try:
                data = _read(self._descriptor)
            except OSError:
                data = b""  # whoever wrote is gone
            self._may_read.clear()
            if not _call(self._loop, self._take, data):
                return
            # One chunk at a time: what is read waits in the pipe and not in our memory.
            self._may_read.wait()

    def _take(self, data: bytes) -> None:
        if self._is_closing:
            return
        if data:
            self._protocol.data_received(data)
        else:
            self._protocol.eof_received()
        if not self._is_paused:
            self._may_read.set()


class WritingThread(asyncio.WriteTransport):
    """Writes to a descriptor; its protocol is paused until everything has been written."""

    def __init__(self, descriptor: int, protocol: asyncio.BaseProtocol) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._unwritten_bytes = 0
        self._is_closing = False
        self._waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        threading.Thread(target=self._write, name="stdout", daemon=True).start()

    def write(self, data: Any) -> None:
        """Hand bytes to the thread; never waits."""
        if self._is_closing or not data:
            return
        if not self._unwritten_bytes:
            self._protocol.pause_writing()
        self._unwritten_bytes += len(data)
        self._waiting.put(bytes(data))

    def is_closing(self) -> bool:
        """Tell whether what is written is dropped."""
        return self._is_closing

    def close(self) -> None:
        """Write what waits, and take nothing more."""
        self._is_closing = True
        self._waiting.put(None)

    def abort(self) -> None:
        """Do as close: a thread that sits in write() cannot be stopped."""
        self.close()

    def _write(self) -> None:
        while (data := self._waiting.get()) is not None:
            try:
                write_all(self._descriptor, data)
            except OSError as error:
                _call(self._loop, self._lose, error)
                return
            if not _call(self._loop, self._note_written, len(data)):
                return

    def _note_written(self, size: int) -> None:
        self._unwritten_bytes -= size
        if not self._unwritten_bytes:
            self._protocol.resume_writing()

    def _lose(self, error: OSError) -> None:
        self._is_closing = True
        self._protocol.connection_lost(error)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of the data, however long that takes.

    Raises:
        OSError: It cannot be written.
    """
    remaining = memoryview(data)
    while remaining:
        try:
            remaining = remaining[os.write(descriptor, remaining) :]
        except BlockingIOError:  # whoever shares it has set O_NONBLOCK; only POSIX has that
            select.select([], [descriptor], [])


def _read(descriptor: int) -> bytes:
    while True:
        try:
            return os.read(descriptor, CHUNK_BYTES)
        except BlockingIOError:
            select.select([descriptor], [], [])


def _call(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *args: Any) -> bool:
    """Call a function on the event loop soon; False when the loop is over."""
    try:
        loop.call_soon_threadsafe(function, *args)
    except RuntimeError:
        return False
    return True
