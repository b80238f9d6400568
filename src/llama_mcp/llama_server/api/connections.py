"""The connections to one llama-server over which replies are streamed: one for each.

A connection can be opened ahead, while a turn that will need it is still being archived. It holds
a thread of llama-server, so there are never more connections than slots because of it, and one that
nobody takes is closed soon.
"""

import asyncio
from functools import partial
from urllib.parse import urlsplit

import anyio

from llama_mcp.llama_server.api.exchange import CLOSED, Exchange, lost
from llama_mcp.llama_server.errors import LlamaServerLostError

# llama-server itself closes a connection without a request after 5 s.
AHEAD_SECONDS = 1.0


class Connections:
    """Asks one llama-server for streams."""

    def __init__(self, url: str, connect_timeout_seconds: float) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname or "", address.port or 80
        self._connect_timeout_seconds = connect_timeout_seconds
        self._open: set[Exchange] = set()
        # Each with what closes it when nobody takes it.
        self._ahead: dict[Exchange, asyncio.TimerHandle] = {}
        self._being_opened = 0
        self._is_closed = False
        # Rises whenever a stream begins or ends.
        self.changes = 0

    async def ask(self, request: bytes) -> Exchange:
        """Send a request and return its exchange as soon as the answer's head is here.

        Its caller closes it.

        Raises:
            LlamaServerLostError: there is no connection, it broke, or what came is not HTTP.
        """
        exchange = self._take() or await self._connect()
        self._open.add(exchange)
        self.changes += 1
        exchange.when_closed = partial(self._forget, exchange)
        try:
            await exchange.send(request)
        except BaseException:
            exchange.close()
            raise
        return exchange

    async def open_ahead(self, most: int) -> None:
        """Open a connection for a request that will come in a moment, if there is room for it.

        Without a connection the request will tell why.

        Args:
            most: how many streams llama-server generates at once.
        """
        if len(self._open) + len(self._ahead) + self._being_opened >= most:
            return
        self._being_opened += 1
        try:
            exchange = await self._connect()
        except LlamaServerLostError:
            return
        finally:
            self._being_opened -= 1
        loop = asyncio.get_running_loop()
        self._ahead[exchange] = loop.call_later(AHEAD_SECONDS, exchange.close)
        exchange.when_closed = partial(self._drop, exchange)

    def close(self) -> None:
        """Break off what is under way, and open nothing any more."""
        self._is_closed = True
        for exchange in [*self._open, *self._ahead]:
            exchange.close()

    def _take(self) -> Exchange | None:
        """Return a connection that was opened ahead and still stands; None without one."""
        while self._ahead:
            exchange, timer = self._ahead.popitem()
            timer.cancel()
            if exchange.is_untouched():
                return exchange
            exchange.close()
        return None

    def _drop(self, exchange: Exchange) -> None:
        if timer := self._ahead.pop(exchange, None):
            timer.cancel()

    def _forget(self, exchange: Exchange) -> None:
        self._open.discard(exchange)
        self.changes += 1

    async def _connect(self) -> Exchange:
        self._refuse_once_closed()
        loop = asyncio.get_running_loop()
        try:
            with anyio.fail_after(self._connect_timeout_seconds):
                _, exchange = await loop.create_connection(Exchange, self._host, self._port)
        except OSError as error:  # a TimeoutError of ours says nothing
            raise lost(str(error) or "no connection in time") from error
        try:
            self._refuse_once_closed()
        except LlamaServerLostError:
            exchange.close()
            raise
        return exchange

    def _refuse_once_closed(self) -> None:
        if self._is_closed:
            raise lost(CLOSED)
