"""One request to llama-server whose answer is a stream, on a connection of its own.

A small model sends thousands of chunks a second, and each of them takes time of a processor that
llama-server needs. So llhttp (httptools) parses, no HTTP library is above it, and what comes in
quick succession is read together. It carries plain HTTP to this machine and nothing else.
"""

import asyncio
import select
import sys
from collections.abc import AsyncIterator, Callable

import httptools

from llama_mcp.llama_server.errors import LlamaServerLostError

# As much lies unread only when nobody reads; llama-server waits then.
MAX_UNREAD_BYTES = 1024 * 1024
MAX_HEAD_BYTES = 64 * 1024
# What comes within one of these steps of the clock is read together, once the step is no more than
# a small share of the time that the answer has taken: neither its beginning nor the end of a short
# one is held up. All streams are read at the same moments, which wakes the process less often.
READ_STEPS_SECONDS = (0.004, 0.002, 0.001)
READ_STEP_SHARE = 0.03
CLOSED = "the connection was closed"


class Exchange(asyncio.Protocol):
    """A connection, the request that is sent over it, and the answer."""

    def __init__(self) -> None:
        self.status = 0
        """Of HTTP; 0 until the answer's head is here."""
        self.when_closed: Callable[[], None] = lambda: None
        """Called once the connection is no more."""
        self._parser = httptools.HttpResponseParser(self)
        self._unread: list[bytes] = []
        self._unread_bytes = 0
        self._head_bytes = 0
        self._says_its_length = False
        self._began_at = 0.0
        self._read_at = 0.0
        self._is_full = False
        self._is_whole = False
        self._failure = ""
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None

    async def send(self, request: bytes) -> None:
        """Send a whole request, and wait for status and headers of its answer.

        Raises:
            LlamaServerLostError: the connection broke, or what came is not HTTP.
        """
        if self._transport is not None:
            self._transport.write(request)
        while not self.status:
            await self._wait()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Give the body as it arrives, all that has come at a time.

        Raises:
            LlamaServerLostError: the connection broke before the body was whole.
        """
        while True:
            if self._unread:
                body, self._unread, self._unread_bytes = b"".join(self._unread), [], 0
                if self._is_full:
                    self._is_full = False
                    self._read_on()
                yield body
            elif self._is_whole:
                return
            else:
                await self._wait()

    def close(self) -> None:
        """Close the connection at once, which makes llama-server stop generating."""
        self._break_off(CLOSED)

    def is_untouched(self) -> bool:
        """Tell whether the connection stands, and nothing has come over it, not even its end."""
        if self._transport is None or self._transport.is_closing():
            return False
        if self.status or self._head_bytes:
            return False
        return not _is_readable(self._transport.get_extra_info("socket").fileno())

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Parse what has come, and put the next read off when much comes in quick succession."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._break_off(f"what came is not HTTP: {error}")
            return
        self._head_bytes += 0 if self.status else len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._break_off("its headers have no end")
            return
        self._wake()
        self._is_full = self._unread_bytes > MAX_UNREAD_BYTES
        if self._is_full and self._transport is not None:
            self._transport.pause_reading()
        else:
            self._pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the body; without a length the end of the connection is its end."""
        self._transport = None
        self.when_closed()
        if self.status and not exc and not self._says_its_length:
            self._is_whole = True
        self._fail(str(exc) if exc else CLOSED)

    # Called by the parser.

    def on_header(self, name: bytes, _value: bytes) -> None:
        """Take notice of what says where the body ends."""
        if name.lower() in (b"transfer-encoding", b"content-length"):
            self._says_its_length = True

    def on_headers_complete(self) -> None:
        """Take the status: the head is complete."""
        self.status = self._parser.get_status_code()
        self._began_at = self._loop.time()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._unread.append(body)
        self._unread_bytes += len(body)

    def on_message_complete(self) -> None:
        """Note that the body is whole."""
        self._is_whole = True

    def _break_off(self, why: str) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._fail(why)

    def _fail(self, why: str) -> None:
        # The first failure is the cause of those that follow.
        self._failure = self._failure or why
        self._wake()

    def _pause_reading(self) -> None:
        """Read on at the next step of the clock; at once what comes seldom."""
        now = self._loop.time()
        interval, self._read_at = now - self._read_at, now
        longest = (now - self._began_at) * READ_STEP_SHARE
        step = next((step for step in READ_STEPS_SECONDS if step <= longest), 0.0)
        if interval < step and self._transport is not None and not self._is_whole:
            self._transport.pause_reading()
            self._loop.call_at((now // step + 1) * step, self._read_on)

    def _read_on(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    async def _wait(self) -> None:
        """Wait until something has arrived.

        Raises:
            LlamaServerLostError: nothing will any more.
        """
        if self._failure:
            raise lost(self._failure)
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def lost(why: str) -> LlamaServerLostError:
    """Return the error for a connection that is none (any more)."""
    return LlamaServerLostError(f"the connection to it failed ({why})")


def _is_readable(descriptor: int) -> bool:
    if sys.platform == "win32":
        return bool(select.select([descriptor], [], [], 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
