"""The requests that wait for their answer, so that the end of stdin cuts off none that is quick."""

from collections import Counter
from typing import Any

import anyio
from mcp_types import JSONRPCError, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

# Is answered when it ends, and it ends with the connection.
LISTENING = "subscriptions/listen"


class Unanswered:
    """Counts requests by their ids; an id that is used twice waits for two answers."""

    def __init__(self) -> None:
        self._waiting: Counter[str | int] = Counter()
        self._is_client_gone = False
        self._none_left = anyio.Event()

    def note_received(self, message: Any) -> None:
        """Note a message of the client: a request waits, and one that it cancels does not."""
        if isinstance(message, JSONRPCRequest) and message.method != LISTENING:
            self._waiting[message.id] += 1
        elif isinstance(message, JSONRPCNotification) and (
            message.method == "notifications/cancelled"
        ):
            cancelled = (message.params or {}).get("requestId")
            if isinstance(cancelled, str | int):
                self._settle(cancelled)

    def note_sent(self, message: Any) -> None:
        """Note a message to the client."""
        if isinstance(message, JSONRPCResponse | JSONRPCError) and message.id is not None:
            self._settle(message.id)

    def note_client_gone(self) -> None:
        """Note that no answer can be sent any more."""
        self._is_client_gone = True
        self._none_left.set()

    async def wait_until_none(self) -> None:
        """Wait until every request is answered or nobody is there to be answered."""
        while self._waiting and not self._is_client_gone:
            self._none_left = anyio.Event()
            await self._none_left.wait()

    def _settle(self, request_id: str | int) -> None:
        if self._waiting[request_id] <= 1:
            del self._waiting[request_id]
        else:
            self._waiting[request_id] -= 1
        if not self._waiting:
            self._none_left.set()
