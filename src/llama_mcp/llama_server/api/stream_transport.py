"""The wire under a streamed reply: one connection a request, read in batches.

A small model sends thousands of chunks a second. Through httpx2's own transport each of them takes
0.1 ms of a core that llama-server needs; here llhttp (httptools) parses, and what comes in quick
succession is taken together (measured by benchmarks/chat.py). It carries plain HTTP to this machine
and nothing else; httpx2 stays above it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

import anyio
import httptools
import httpx2

# What comes after so many reads is read every few milliseconds only. Neither a short reply nor the
# beginning of a long one is held up.
READS_AT_ONCE = 64
READ_PAUSE_SECONDS = 0.004
# As much lies unread only when nobody reads; llama-server waits then.
MAX_UNREAD_BYTES = 1024 * 1024
MAX_HEAD_BYTES = 64 * 1024


class StreamTransport(httpx2.AsyncBaseTransport):
    """Carries requests whose answers are streams."""

    def __init__(self, connect_timeout_seconds: float) -> None:
        self._connect_timeout_seconds = connect_timeout_seconds
        self._open: set[_Exchange] = set()
        # Rises whenever a stream begins or ends.
        self.changes = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request and return its answer as soon as the headers are here.

        Raises:
            httpx2.TransportError: there is no connection, it broke, or what came is not HTTP.
        """
        exchange = await self._connect(request.url.host, request.url.port or 80)
        self._open.add(exchange)
        self.changes += 1
        exchange.when_closed = lambda: self._forget(exchange)
        try:
            exchange.send(_encode(request))
            await exchange.wait_for_head()
        except BaseException:
            exchange.close()
            raise
        return httpx2.Response(exchange.status, headers=exchange.headers, stream=exchange)

    async def aclose(self) -> None:
        """Break off what is under way."""
        for exchange in list(self._open):
            exchange.close()

    def _forget(self, exchange: "_Exchange") -> None:
        self._open.discard(exchange)
        self.changes += 1

    async def _connect(self, host: str, port: int) -> "_Exchange":
        loop = asyncio.get_running_loop()
        try:
            with anyio.fail_after(self._connect_timeout_seconds):
                _, exchange = await loop.create_connection(_Exchange, host, port)
        except TimeoutError as error:
            raise httpx2.ConnectTimeout("no connection in time") from error
        except OSError as error:
            raise httpx2.ConnectError(str(error)) from error
        return exchange


class _Exchange(asyncio.Protocol, httpx2.AsyncByteStream):
    """One request and its answer: the connection's protocol, and the body as a stream."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.when_closed: Callable[[], None] = lambda: None
        self._parser = httptools.HttpResponseParser(self)
        self._unread: list[bytes] = []
        self._unread_bytes = 0
        self._head_bytes = 0
        self._reads = 0
        self._is_full = False
        self._is_whole = False
        self._failure: httpx2.TransportError | None = None
        self._arrived = asyncio.Event()
        self._transport: asyncio.Transport | None = None

    def send(self, request: bytes) -> None:
        """Write a whole request."""
        if self._transport is not None:
            self._transport.write(request)

    async def wait_for_head(self) -> None:
        """Wait until status and headers are here."""
        while not self.status:
            await self._wait()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the body as it arrives, all that has come at a time."""
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

    async def aclose(self) -> None:
        """Close the connection, which makes llama-server stop generating."""
        self.close()

    def close(self) -> None:
        """Close the connection at once."""
        self._break_off(httpx2.ReadError("the connection was closed"))

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
            self._break_off(httpx2.RemoteProtocolError(f"what came is not HTTP: {error}"))
            return
        self._head_bytes += 0 if self.status else len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._break_off(httpx2.RemoteProtocolError("its headers have no end"))
            return
        self._reads += 1
        self._arrived.set()
        self._is_full = self._unread_bytes > MAX_UNREAD_BYTES
        if self._transport is not None and (self._is_full or self._reads > READS_AT_ONCE):
            self._transport.pause_reading()
            if not self._is_full:
                asyncio.get_running_loop().call_later(READ_PAUSE_SECONDS, self._read_on)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the body; without a length the end of the connection is its end."""
        self._transport = None
        self.when_closed()
        names = {name.lower() for name, _ in self.headers}
        if self.status and not exc and not names & {b"transfer-encoding", b"content-length"}:
            self._is_whole = True
        self._fail(httpx2.ReadError(str(exc) if exc else "the connection was closed"))

    # Called by the parser.

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header."""
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Take the status: the head is complete."""
        self.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._unread.append(body)
        self._unread_bytes += len(body)

    def on_message_complete(self) -> None:
        """Note that the body is whole."""
        self._is_whole = True

    def _break_off(self, failure: httpx2.TransportError) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._fail(failure)

    def _fail(self, failure: httpx2.TransportError) -> None:
        # The first failure is the cause of those that follow.
        self._failure = self._failure or failure
        self._arrived.set()

    def _read_on(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    async def _wait(self) -> None:
        """Wait until something has arrived.

        Raises:
            httpx2.TransportError: nothing will any more.
        """
        if self._failure is not None:
            raise self._failure
        self._arrived.clear()
        await self._arrived.wait()


def _encode(request: httpx2.Request) -> bytes:
    lines = [b"%s %s HTTP/1.1" % (request.method.encode(), request.url.raw_path)]
    lines += [b"%s: %s" % pair for pair in request.headers.raw if pair[0].lower() != b"connection"]
    return b"\r\n".join([*lines, b"Connection: close", b"", request.content])
