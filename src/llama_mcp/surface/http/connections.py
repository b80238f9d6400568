"""Connections that keep nobody waiting: headers come in time and have a size.

uvicorn 0.54 waits for headers for ever, and its parser takes any number of them. Of a request that
is answered before it is whole, as without a token, it waits for the rest for ever, too; trailers it
keeps as headers.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# How long the headers of a request may take, and the rest of one that is answered; a proxy in front
# sends them at once.
HEADER_SECONDS = 10.0
# Of headers, and of whatever else is no body: trailers, extensions of chunks.
MAX_HEADER_BYTES = 64 * 1024


class TimedConnection(HttpToolsProtocol):
    """Closes a connection whose headers do not come, or do not end, or whose request does not."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._header_bytes = 0
        self._is_in_headers = True
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as theirs
        """Begin to wait for headers."""
        super().connection_made(transport)
        self._await_rest()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come, unless its headers are too long."""
        self._header_bytes += len(data)
        if self._is_in_headers and self._deadline is None:
            self._await_rest()
        super().data_received(data)
        if self._header_bytes <= MAX_HEADER_BYTES or self.transport.is_closing():
            return
        if self._is_in_headers:
            self.send_400_response("The headers are too long.")
        else:  # its response may have begun
            self.transport.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header without the blanks around its value (RFC 9110 5.5), which llhttp leaves.

        A trailer, which nobody reads, is dropped.
        """
        if self._is_in_headers:
            super().on_header(name, value.strip(b" \t"))

    def on_headers_complete(self) -> None:
        """Go on to the body."""
        self._is_in_headers, self._header_bytes = False, 0
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._header_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Go on to the next request, whose headers may come when they like: keep-alive ends it."""
        super().on_message_complete()
        self._is_in_headers, self._header_bytes = True, 0
        self._stop_waiting()
        if self.cycle.response_complete:
            self._await_rest()  # uvicorn has begun to wait before, and waits no more

    def on_response_complete(self) -> None:
        """Wait a little for the rest of a request that was answered before it was whole."""
        super().on_response_complete()
        if self.cycle.response_complete and not self._is_in_headers:
            self._await_rest()

    def _await_rest(self) -> None:
        self._stop_waiting()
        self._deadline = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()
