"""From lines to messages and back; what cannot be read is answered, and never ends the server."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import mcp_types
from mcp.shared._context_streams import (
    ContextReceiveStream,
    ContextSendStream,
    create_context_streams,
)
from mcp.shared.message import SessionMessage

from llama_mcp.surface.stdio.descriptors import take_over_stdio

# What a client that has stopped reading may still get of what was written.
LAST_WRITE_SECONDS = 0.5
PARSE_ERROR = -32700

Streams = tuple[Any, Any]


@asynccontextmanager
async def message_streams(on_end: Callable[[], None]) -> AsyncIterator[Streams]:
    """Give the streams of messages that come and go over stdin and stdout.

    Args:
        on_end: called when stdin is closed.
    """
    reader, writer, close = await take_over_stdio()
    incoming, received = create_context_streams[SessionMessage | Exception](0)
    to_send, outgoing = create_context_streams[SessionMessage](0)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_read_messages, reader, writer, incoming, on_end)
            tasks.start_soon(_write_messages, writer, outgoing)
            yield received, to_send
            tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(LAST_WRITE_SECONDS):
            await _drain(writer)
        close()


async def _read_messages(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    incoming: ContextSendStream[SessionMessage | Exception],
    on_end: Callable[[], None],
) -> None:
    async with incoming:
        while True:
            try:
                line = await reader.readline()
            except ValueError:  # longer than the limit; readline has dropped what it had
                writer.write(_parse_error(None))
                continue
            if not line:
                on_end()
                return
            if line.strip():
                await _deliver(line, writer, incoming)


async def _deliver(
    line: bytes,
    writer: asyncio.StreamWriter,
    incoming: ContextSendStream[SessionMessage | Exception],
) -> None:
    try:
        message = mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValueError:
        writer.write(_parse_error(_request_id(line)))
        return
    await incoming.send(SessionMessage(message))


async def _write_messages(
    writer: asyncio.StreamWriter, outgoing: ContextReceiveStream[SessionMessage]
) -> None:
    async with outgoing:
        async for item in outgoing:
            writer.write(_encode(item.message))
            if not await _drain(writer):
                return


async def _drain(writer: asyncio.StreamWriter) -> bool:
    try:
        await writer.drain()
    except (OSError, RuntimeError):
        return False  # the client is gone; reading will end too
    return True


def _encode(message: Any) -> bytes:
    """Return one frame; a lone surrogate in it becomes U+FFFD instead of ending the server."""
    try:
        text: str = message.model_dump_json(by_alias=True, exclude_unset=True)
        return text.encode() + b"\n"
    except ValueError:
        data = message.model_dump(mode="python", by_alias=True, exclude_unset=True)
        return json.dumps(data, default=str).encode("utf-8", "replace") + b"\n"


def _parse_error(request_id: str | int | None) -> bytes:
    error = {"code": PARSE_ERROR, "message": "Parse error: not a JSON-RPC message"}
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "error": error}).encode() + b"\n"


def _request_id(line: bytes) -> str | int | None:
    """Return the id of invalid JSON-RPC, so that the error can name it; None when it has none."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    request_id = message.get("id") if isinstance(message, dict) else None
    is_id = isinstance(request_id, str | int) and not isinstance(request_id, bool)
    return request_id if is_id else None
