"""The server as the bridge sees it: an HTTP request, and the response that comes of it."""

import threading

from llama_mcp.connect.connections import Connection, Connections, reason_of
from llama_mcp.connect.events import messages_in
from llama_mcp.connect.failures import BridgeError, broken_off, not_understood
from llama_mcp.connect.responses import (
    BadResponseError,
    EndOfResponseError,
    Head,
    ResponseReader,
    whole,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from llama_mcp.connect.target import Target
    from llama_mcp.connect.token_source import TokenSource

Headers = list[tuple[str, str]]

EVENT_STREAM = "text/event-stream"
JSON = "application/json"
# What an error has to say; more is not read.
_MOST_ERROR_BYTES = 64 * 1024
# The end of a response follows its last message at once.
_END_SECONDS = 1.0


class AbortedError(Exception):
    """Whoever wanted the response does not want it any more."""


class Exchange:
    """A request under way, which any thread can abort."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: Connection | None = None
        self.is_aborted = False

    def use(self, connection: Connection) -> None:
        """Go over this connection from now on.

        Raises:
            AbortedError: It was aborted before.
        """
        with self._lock:
            self._held = connection
            if self.is_aborted:
                connection.close()
                raise AbortedError

    def leave(self) -> None:
        """Be done with its connection."""
        with self._lock:
            self._held = None

    def abort(self) -> None:
        """End it at once. To the server the connection is closed."""
        with self._lock:
            self.is_aborted = True
            if self._held:
                self._held.abort()


class Response:
    """What the server answers. Whoever has it calls `finish` at the end."""

    def __init__(
        self, head: Head, reader: ResponseReader, connection: Connection, exchange: Exchange
    ) -> None:
        self.head = head
        self._reader = reader
        self._body = reader.body(head)
        self._held = connection
        self._exchange = exchange

    def messages(self) -> "Iterator[bytes]":
        """Yield its messages as they come.

        Raises:
            BadResponseError, EndOfResponseError, OSError: It is no response of an MCP server, or
                breaks off.
        """
        if self.head.content_type == EVENT_STREAM:
            yield from messages_in(self._body)
        elif self.head.content_type == JSON:
            yield whole(self._body)
        else:
            raise BadResponseError(f"its answer is {self.head.content_type[:80] or 'empty'}")

    def text(self) -> bytes:
        """Return what an error says; nothing when that is long or broken."""
        try:
            return whole(self._body, _MOST_ERROR_BYTES)
        except (BadResponseError, EndOfResponseError, OSError):
            return b""

    def finish(self, connections: Connections) -> None:
        """Read the end, if it is there, and keep the connection for the next request."""
        try:
            self._held.set_patience(_END_SECONDS)
            whole(self._body, _MOST_ERROR_BYTES)
            self._held.set_patience()
        except (BadResponseError, EndOfResponseError, OSError):
            self._reader.is_whole = False
        self._exchange.leave()
        if self._reader.is_whole and not self._exchange.is_aborted:
            connections.give_back(self._held)
        else:
            self._held.close()


class Server:
    """Sends requests to one server."""

    def __init__(self, target: "Target", token: "TokenSource", connections: Connections) -> None:
        self.target = target
        self.token = token
        self.connections = connections

    def begin(
        self,
        method: str,
        headers: Headers,
        body: bytes,
        exchange: Exchange,
        *,
        is_repeatable: bool = True,
        patience_seconds: float | None = None,
    ) -> Response:
        """Send a request; return its response when the head of that is there.

        Args:
            method: of HTTP.
            headers: those that depend on the request.
            body: what is sent.
            exchange: by which it can be aborted.
            is_repeatable: whether it may be sent twice, when the first connection was stale.
            patience_seconds: how long the server may be silent, if not as long as usual.

        Raises:
            BridgeError: There is none.
            AbortedError: Nobody wants it any more.
        """
        head = self._head(method, headers, len(body))
        connection = self.connections.take()
        while True:
            exchange.use(connection)
            if patience_seconds is not None:
                connection.set_patience(patience_seconds)
            reader = connection.send(head, body)
            try:
                return Response(reader.head(), reader, connection, exchange)
            except (EndOfResponseError, OSError) as error:
                connection.close()
                is_stale = connection.is_used and not reader.has_begun
                if exchange.is_aborted or not (is_stale and is_repeatable):
                    raise self.failure(reader.unsent or error, exchange) from error
            except BadResponseError as error:
                connection.close()
                raise self.failure(error, exchange) from error
            connection = self.connections.take(is_new=True)

    def failure(self, error: Exception, exchange: Exchange) -> BridgeError:
        """Return what an error means that reading a response ended with.

        Raises:
            AbortedError: Nobody wants the response any more.
        """
        if exchange.is_aborted:
            raise AbortedError
        if isinstance(error, BadResponseError):
            return not_understood(self.target.url, str(error))
        reason = reason_of(error) if isinstance(error, OSError) else "the server closed it"
        return broken_off(self.target.url, reason)

    def _head(self, method: str, headers: Headers, length: int) -> bytes:
        token = self.token.read()
        lines = [
            f"{method} {self.target.path} HTTP/1.1",
            f"Host: {self.target.host_header}",
            "User-Agent: llama-mcp-connect",
        ]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        if method == "POST":
            lines += [f"Content-Type: {JSON}", f"Content-Length: {length}"]
        lines += [f"{name}: {value}" for name, value in headers]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")
