"""Connections that keep nobody waiting: headers come in time and have a size.

uvicorn 0.54 waits for headers for ever, and its parser takes any number of them.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# How long the headers of a request may take; a proxy in front sends them at once.
HEADER_SECONDS = 10.0
MAX_HEADER_BYTES = 64 * 1024


class TimedConnection(HttpToolsProtocol):
    """Closes a connection whose headers do not come, or do not end."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._header_bytes = 0
        self._is_in_headers = True
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as theirs
        """Begin to wait for headers."""
        super().connection_made(transport)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come, unless its headers are too long."""
        if self._is_in_headers:
            self._header_bytes += len(data)
            if self._deadline is None:
                self._await_headers()
        super().data_received(data)
        if self._is_in_headers and self._header_bytes > MAX_HEADER_BYTES:
            self.send_400_response("The headers are too long.")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header without the blanks around its value (RFC 9110 5.5), which llhttp leaves."""
        super().on_header(name, value.strip(b" \t"))

    def on_headers_complete(self) -> None:
        """Go on to the body."""
        self._is_in_headers, self._header_bytes = False, 0
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Go on to the next request, whose headers may come when they like: keep-alive ends it."""
        super().on_message_complete()
        self._is_in_headers = True

    def _await_headers(self) -> None:
        self._stop_waiting()
        self._deadline = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if self._is_in_headers and not self.transport.is_closing():
            self.transport.close()
