"""A connection to llama-server for answers that are streams: one request at a time.

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


class Connection(asyncio.Protocol):
    """A connection, and the answer to the last request that was sent over it."""

    def __init__(self) -> None:
        self.when_closed: Callable[[], None] = lambda: None
        """Called once it is no more."""
        self._loop = asyncio.get_running_loop()
        self._has_asked = False
        self._answer = _Answer(self._loop)
        self._transport: asyncio.Transport | None = None
        self._failure = ""
        self._waiter: asyncio.Future[None] | None = None

    @property
    def status(self) -> int:
        """The HTTP status of the answer; 0 until its head is here."""
        return self._answer.status

    async def ask(self, request: bytes) -> None:
        """Send a whole request, and wait for status and headers of its answer.

        Raises:
            LlamaServerLostError: the connection broke, or what came is not HTTP.
        """
        self._has_asked, self._answer = True, _Answer(self._loop)
        if self._transport is not None:
            self._transport.write(request)
        while not self.status:
            await self._wait()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Give the body of the answer as it arrives, all that has come at a time.

        Raises:
            LlamaServerLostError: the connection broke before the body was whole.
        """
        answer = self._answer
        while True:
            if answer.unread:
                was_full = answer.is_full
                body = answer.take()
                if was_full:
                    self._read_on()
                yield body
            elif answer.is_whole:
                return
            else:
                await self._wait()

    def close(self) -> None:
        """Close it at once, which makes llama-server stop generating."""
        self._break_off(CLOSED)

    def is_free(self) -> bool:
        """Tell whether another request can be sent: it stands, and nothing comes over it.

        Not even its end: that is looked for here, since the event loop may not have read it yet.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        if self._has_asked and not self._answer.leaves_it_free:
            return False
        return not _is_readable(transport.get_extra_info("socket").fileno())

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Parse what has come, and put the next read off when much comes in quick succession."""
        if why := self._answer.feed(data) if self._has_asked else "it was not asked":
            self._break_off(why)
            return
        self._wake()
        if self._transport is None:
            return
        if self._answer.is_full:
            self._transport.pause_reading()
        elif read_on_at := self._answer.next_read():
            self._transport.pause_reading()
            self._loop.call_at(read_on_at, self._read_on)

    def connection_lost(self, exc: Exception | None) -> None:
        """Without a length the end of the connection is the end of the body."""
        self._transport = None
        self.when_closed()
        if not exc:
            self._answer.end()
        self._fail(str(exc) if exc else CLOSED)

    def _break_off(self, why: str) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._fail(why)

    def _fail(self, why: str) -> None:
        # The first failure is the cause of those that follow.
        self._failure = self._failure or why
        self._wake()

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


class _Answer:
    """What has come of one answer."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.status = 0
        self.unread: list[bytes] = []
        self.is_whole = False
        self._loop = loop
        self._parser = httptools.HttpResponseParser(self)
        self._unread_bytes = 0
        self._head_bytes = 0
        self._says_its_length = False
        self._messages = 0
        self._keeps_alive = False
        self._began_at = 0.0
        self._read_at = 0.0

    @property
    def is_full(self) -> bool:
        """Whether so much lies unread that no more is read."""
        return self._unread_bytes > MAX_UNREAD_BYTES

    @property
    def leaves_it_free(self) -> bool:
        """Whether another request can follow: it is whole and read, and nothing came after it."""
        return self._keeps_alive and self._messages == 1 and not self.unread

    def feed(self, data: bytes) -> str:
        """Take what has come; return why it is no answer, empty when it can be one."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            return f"what came is not HTTP: {error}"
        self._head_bytes += 0 if self.status else len(data)
        return "its headers have no end" if self._head_bytes > MAX_HEAD_BYTES else ""

    def take(self) -> bytes:
        """Return what lies unread of the body."""
        body, self.unread, self._unread_bytes = b"".join(self.unread), [], 0
        return body

    def end(self) -> None:
        """Note the end of the connection."""
        self.is_whole |= bool(self.status) and not self._says_its_length

    def next_read(self) -> float:
        """Return when to read on, by the loop's clock; 0 for at once, as for what comes seldom."""
        now = self._loop.time()
        interval, self._read_at = now - self._read_at, now
        longest = (now - self._began_at) * READ_STEP_SHARE
        step = next((step for step in READ_STEPS_SECONDS if step <= longest), 0.0)
        # Reads that were put off lie a step apart, and somewhat more.
        is_quick = interval < 2 * step and bool(self.status) and not self.is_whole
        return (now // step + 1) * step if is_quick else 0.0

    # Called by the parser.

    def on_message_begin(self) -> None:
        """Count the answers: there is one to each request."""
        self._messages += 1

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
        self.unread.append(body)
        self._unread_bytes += len(body)

    def on_message_complete(self) -> None:
        """Note that the body is whole, and whether another answer can follow."""
        self.is_whole = True
        self._keeps_alive = self._parser.should_keep_alive()


def lost(why: str) -> LlamaServerLostError:
    """Return the error for a connection that is none (any more)."""
    return LlamaServerLostError(f"the connection to it failed ({why})")


def _is_readable(descriptor: int) -> bool:
    if sys.platform == "win32":
        return bool(select.select([descriptor], [], [], 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
