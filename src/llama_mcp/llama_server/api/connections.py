"""The connections to one llama-server over which answers are streamed: one for each under way.

A connection is opened ahead, while a turn that will need it is still being archived, and is used
again at once after a whole answer. Each holds a thread of llama-server, of which there are few more
than slots, so there are never more than slots because of that, and one that nobody takes is closed
soon.
"""

import asyncio
from functools import partial
from urllib.parse import urlsplit

import anyio

from llama_mcp.llama_server.api.connection import CLOSED, Connection, lost
from llama_mcp.llama_server.errors import LlamaServerLostError

# Longer than the archive takes to write. llama-server itself closes an idle one after 5 s.
FREE_SECONDS = 0.25


class Connections:
    """Asks one llama-server for streams."""

    def __init__(self, url: str, connect_timeout_seconds: float) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname or "", address.port or 80
        self._connect_timeout_seconds = connect_timeout_seconds
        self._used: set[Connection] = set()
        # Each with what closes it when nobody takes it.
        self._free: dict[Connection, asyncio.TimerHandle] = {}
        self._being_opened = 0
        self._is_closed = False
        # Rises whenever a request begins or ends.
        self.changes = 0

    async def ask(self, request: bytes) -> Connection:
        """Send a request and return its connection as soon as the answer's head is here.

        Its caller gives it back, however it has used the answer.

        Raises:
            LlamaServerLostError: there is no connection, it broke, or what came is not HTTP.
        """
        connection = self._take() or await self._connect()
        self._used.add(connection)
        self.changes += 1
        try:
            await connection.ask(request)
        except BaseException:
            self.give_back(connection)
            raise
        return connection

    def give_back(self, connection: Connection) -> None:
        """Keep the connection for the next request; one whose answer is not whole is closed."""
        self._used.discard(connection)
        self.changes += 1
        if connection.is_free() and not self._is_closed:
            self._keep(connection)
        else:
            connection.close()

    async def open_ahead(self, most: int) -> None:
        """Open a connection for a request that will come in a moment, unless one is free.

        Without a connection the request will tell why.

        Args:
            most: how many streams llama-server generates at once; no more connections are opened.
        """
        if self._free or len(self._used) + self._being_opened >= most:
            return
        self._being_opened += 1
        try:
            self._keep(await self._connect())
        except LlamaServerLostError:
            return
        finally:
            self._being_opened -= 1

    def close(self) -> None:
        """Break off what is under way, and open nothing any more."""
        self._is_closed = True
        for connection in [*self._used, *self._free]:
            connection.close()

    def _keep(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        self._free[connection] = loop.call_later(FREE_SECONDS, connection.close)
        connection.when_closed = partial(self._forget, connection)

    def _forget(self, connection: Connection) -> None:
        if timer := self._free.pop(connection, None):
            timer.cancel()

    def _take(self) -> Connection | None:
        """Return a connection that is free and still stands; None without one."""
        while self._free:
            connection, timer = self._free.popitem()
            timer.cancel()
            if connection.is_free():
                return connection
            connection.close()
        return None

    async def _connect(self) -> Connection:
        self._refuse_once_closed()
        loop = asyncio.get_running_loop()
        try:
            with anyio.fail_after(self._connect_timeout_seconds):
                _, connection = await loop.create_connection(Connection, self._host, self._port)
        except OSError as error:  # a TimeoutError of ours says nothing
            raise lost(str(error) or "no connection in time") from error
        try:
            self._refuse_once_closed()
        except LlamaServerLostError:
            connection.close()
            raise
        return connection

    def _refuse_once_closed(self) -> None:
        if self._is_closed:
            raise lost(CLOSED)
