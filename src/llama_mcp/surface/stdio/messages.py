"""Messages in and out; what cannot be read is answered, and never ends the server."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Self

import anyio
import anyio.lowlevel
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

from llama_mcp.early.handover import Handover
from llama_mcp.surface.stdio.descriptors import MAX_MESSAGE_BYTES, take_over_stdio
from llama_mcp.surface.stdio.frames import error_frame, frame_of
from llama_mcp.surface.stdio.lines import Refusal, messages_in
from llama_mcp.surface.stdio.unanswered import Unanswered

# What a client that has stopped reading may still get of what was written.
LAST_WRITE_SECONDS = 0.5
# What requests that came before the end of stdin still get to be answered. Clients kill a server
# 2 s after the end, and closing takes up to 1.5 s (opening.py).
LAST_ANSWER_SECONDS = 0.4

# What a client that listens is told at once (2026-07-28).
ACKNOWLEDGED = "notifications/subscriptions/acknowledged"

Streams = tuple["Incoming", "Outgoing"]


@asynccontextmanager
async def message_streams(on_end: Callable[[], None], handover: Handover) -> AsyncIterator[Streams]:
    """Give the streams of messages that come and go over stdin and stdout.

    Args:
        on_end: called when stdin is closed.
        handover: what was read and answered before.
    """
    reader, writer, close = await take_over_stdio(handover.unread)
    writer.write(handover.unsent)
    unanswered = Unanswered()
    outgoing = Outgoing(writer, unanswered)

    async def end() -> None:
        on_end()
        with anyio.move_on_after(LAST_ANSWER_SECONDS):
            await unanswered.wait_until_none()

    try:
        yield Incoming(reader, outgoing, unanswered, handover.replayed, end), outgoing
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(LAST_WRITE_SECONDS):
            await _drain(writer)
        close()


class Incoming:
    """The SDK's stream of messages from the client: whoever receives reads stdin.

    A stream that a task of its own feeds costs a task, and a turn of the event loop for a message.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        outgoing: "Outgoing",
        unanswered: Unanswered,
        replayed: Iterable[bytes],
        end: Callable[[], Awaitable[None]],
    ) -> None:
        """Read messages.

        Args:
            reader: stdin.
            outgoing: gets what is answered to a line that cannot be read.
            unanswered: what has come and waits for its answer.
            replayed: lines that were answered early, from which the server learns; its own answers
                are dropped. Of a client that listens, the acknowledgement was given; the answer
                comes when it ends.
            end: called when stdin is closed, before the stream ends.
        """
        self._reader = reader
        self._outgoing = outgoing
        self._unanswered = unanswered
        self._replayed = deque(message for line in replayed for message in messages_in(line))
        # The replayed request under way. Nothing is read meanwhile: what comes next with its id is
        # the answer to it.
        self._replaying: anyio.Event | None = None
        self._end = end
        self._read: deque[Any] = deque()
        self._is_over = False

    async def receive(self) -> SessionMessage:
        """Return the next message.

        Raises:
            anyio.EndOfStream: stdin is closed.
        """
        if self._replaying is not None:
            await self._replaying.wait()
            self._replaying = None
        if self._replayed:
            message = self._replayed.popleft()
            if isinstance(message, JSONRPCRequest):
                self._replaying = self._outgoing.drop_answer_to(message.id)
            return SessionMessage(message)
        while not self._read:
            await self._read_line()
        message = self._read.popleft()
        self._unanswered.note_received(message)
        return SessionMessage(message)

    async def _read_line(self) -> None:
        if self._is_over:
            raise anyio.EndOfStream
        line = await next_line(self._reader)
        if line is None:
            too_long = f"Parse error: a message may have {MAX_MESSAGE_BYTES} bytes"
            self._outgoing.refuse(Refusal(too_long))
        elif not line:
            self._is_over = True
            await self._end()
        else:
            for message in messages_in(line):
                if isinstance(message, Refusal):
                    self._outgoing.refuse(message)
                else:
                    self._read.append(message)

    async def aclose(self) -> None:
        """Read no more."""
        self._is_over = True

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.aclose()


async def next_line(reader: asyncio.StreamReader) -> bytes | None:
    """Return the next line, empty at the end of stdin; None for one that is longer than the limit.

    Not readline: it gives the rest of such a line as the next one.
    """
    is_too_long = False
    while True:
        try:
            line = await reader.readuntil()
            return None if is_too_long else line
        except asyncio.IncompleteReadError as error:
            return None if is_too_long else error.partial
        except asyncio.LimitOverrunError as error:
            is_too_long = True
            await reader.readexactly(error.consumed)


class Outgoing:
    """The SDK's stream of messages to the client; a message that is sent is written at once.

    A stream that hands messages on to a task loses an answer that is ready when its request is
    cancelled, because a cancelled send does not begin.
    """

    def __init__(self, writer: asyncio.StreamWriter, unanswered: Unanswered) -> None:
        self._writer = writer
        self._unanswered = unanswered
        self._is_closed = False
        self._is_client_gone = False
        # The request whose answer the client has already, and what waits for it.
        self._to_drop: tuple[str | int, anyio.Event] | None = None

    def drop_answer_to(self, request_id: str | int) -> anyio.Event:
        """Do not write the next answer to a request, or that it is heard; return what is set."""
        self._to_drop = request_id, (answered := anyio.Event())
        return answered

    def refuse(self, refusal: Refusal) -> None:
        """Write why something that came is no message."""
        self._writer.write(error_frame(refusal.request_id, refusal.code, refusal.why))

    async def send(self, item: SessionMessage) -> None:
        """Write a message; one that is no answer waits first while the client reads too slowly.

        Whoever is cancelled meanwhile knows that it was not written; once it is, nothing waits.

        Raises:
            anyio.ClosedResourceError: The stream was closed.
            anyio.BrokenResourceError: The client is gone.
        """
        if self._is_closed:
            raise anyio.ClosedResourceError
        is_answer = isinstance(item.message, JSONRPCResponse | JSONRPCError)
        if self._to_drop is not None and self._is_dropped(item.message):
            return
        if not is_answer:
            await self._wait_for_client()
        if self._is_client_gone:
            raise anyio.BrokenResourceError
        self._writer.write(frame_of(item.message))
        if is_answer:
            self._unanswered.note_sent(item.message)
            await self._wait_for_client()
        else:
            # A burst of messages lets others run.
            await anyio.lowlevel.cancel_shielded_checkpoint()

    def _is_dropped(self, message: Any) -> bool:
        if self._to_drop is None or _answered_id(message) != self._to_drop[0]:
            return False
        self._to_drop[1].set()
        self._to_drop = None
        return True

    async def _wait_for_client(self) -> None:
        if self._is_client_gone or not await _drain(self._writer):
            self._is_client_gone = True
            self._unanswered.note_client_gone()
            raise anyio.BrokenResourceError

    async def aclose(self) -> None:
        """Take no more messages."""
        self._is_closed = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.aclose()


def _answered_id(message: Any) -> str | int | None:
    """Return which request a message answers, or says of that it listens."""
    if isinstance(message, JSONRPCNotification):
        meta = (message.params or {}).get("_meta", {})
        is_heard = message.method == ACKNOWLEDGED
        return meta.get("io.modelcontextprotocol/subscriptionId") if is_heard else None
    return message.id if isinstance(message, JSONRPCResponse | JSONRPCError) else None


async def _drain(writer: asyncio.StreamWriter) -> bool:
    try:
        await writer.drain()
    except (OSError, RuntimeError):
        return False  # the client is gone; reading will end too
    return True
