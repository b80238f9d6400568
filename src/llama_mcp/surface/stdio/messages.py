"""Messages in and out; what cannot be read is answered, and never ends the server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Self

import anyio
import anyio.lowlevel
from mcp.shared._context_streams import ContextSendStream, create_context_streams
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

from llama_mcp.early.handover import Handover
from llama_mcp.surface.stdio.descriptors import MAX_MESSAGE_BYTES, take_over_stdio
from llama_mcp.surface.stdio.frames import error_frame, frame_of
from llama_mcp.surface.stdio.lines import PARSE_ERROR, Refusal, messages_in
from llama_mcp.surface.stdio.unanswered import Unanswered

# What a client that has stopped reading may still get of what was written.
LAST_WRITE_SECONDS = 0.5
# What requests that came before the end of stdin still get to be answered. Clients kill a server
# 2 s after the end, and closing takes up to 1.5 s (services.py).
LAST_ANSWER_SECONDS = 0.5

# What a client that listens is told at once (2026-07-28).
ACKNOWLEDGED = "notifications/subscriptions/acknowledged"

Streams = tuple[Any, Any]


@asynccontextmanager
async def message_streams(on_end: Callable[[], None], handover: Handover) -> AsyncIterator[Streams]:
    """Give the streams of messages that come and go over stdin and stdout.

    Args:
        on_end: called when stdin is closed.
        handover: what was read and answered before.
    """
    reader, writer, close = await take_over_stdio(handover.unread)
    writer.write(handover.unsent)
    incoming, received = create_context_streams[SessionMessage | Exception](0)
    unanswered = Unanswered()
    outgoing = Outgoing(writer, unanswered)
    replay = partial(_replay, handover.replayed, incoming, outgoing)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_read_messages, reader, writer, incoming, unanswered, on_end, replay)
            yield received, outgoing
            tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(LAST_WRITE_SECONDS):
            await _drain(writer)
        close()


async def _replay(
    lines: Iterable[bytes],
    incoming: ContextSendStream[SessionMessage | Exception],
    outgoing: "Outgoing",
) -> None:
    """Let the server learn from lines that were answered early; its own answers are dropped.

    Of a client that listens, the acknowledgement was given; the answer comes when it ends. Nothing
    else is read meanwhile: what comes next with the id of such a request is the answer to it.
    """
    for message in (message for line in lines for message in messages_in(line)):
        if isinstance(message, JSONRPCRequest):
            answered = outgoing.drop_answer_to(message.id)
            await incoming.send(SessionMessage(message))
            await answered.wait()
        else:
            await incoming.send(SessionMessage(message))


async def _read_messages(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    incoming: ContextSendStream[SessionMessage | Exception],
    unanswered: Unanswered,
    on_end: Callable[[], None],
    replay: Callable[[], Awaitable[None]],
) -> None:
    async with incoming:
        await replay()
        while True:
            line = await next_line(reader)
            if line is None:
                too_long = f"Parse error: a message may have {MAX_MESSAGE_BYTES} bytes"
                writer.write(error_frame(None, PARSE_ERROR, too_long))
                continue
            if not line:
                on_end()
                with anyio.move_on_after(LAST_ANSWER_SECONDS):
                    await unanswered.wait_until_none()
                return
            for message in messages_in(line):
                if isinstance(message, Refusal):
                    writer.write(error_frame(message.request_id, message.code, message.why))
                    continue
                unanswered.note_received(message)
                await incoming.send(SessionMessage(message))


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
        self._unanswered.note_sent(item.message)
        # A burst of messages lets others run.
        await anyio.lowlevel.cancel_shielded_checkpoint()
        if is_answer:
            await self._wait_for_client()

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
