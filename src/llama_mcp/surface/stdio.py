"""Serving MCP over stdio, and a clean end however it comes.

On POSIX pipes and sockets the event loop reads and writes the descriptors itself: no worker thread
sits in readline(), so a signal can end the process, and a message costs no thread hops (measured:
half the time for a call, several times the notifications of the SDK's own transport, which serves
everywhere else). While serving, descriptor 0 is the null device and 1 is stderr: neither a stray
print nor a child can touch the wire.

Names that are private to the SDK are touched here and in notifications/subscriptions.py;
tests/surface/test_sdk_private_names.py guards them.
"""

import asyncio
import gc
import json
import logging
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import anyio
import mcp_types
from mcp.server.lowlevel import NotificationOptions
from mcp.server.mcpserver import MCPServer
from mcp.server.stdio import stdio_server
from mcp.shared._context_streams import (
    ContextReceiveStream,
    ContextSendStream,
    create_context_streams,
)
from mcp.shared.message import SessionMessage

logger = logging.getLogger(__name__)

# The largest message that is read; the SDK's clients stop at 10 MiB.
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
# What a client that has stopped reading may still get of what was written.
LAST_WRITE_SECONDS = 0.5
PARSE_ERROR = -32700

Streams = tuple[Any, Any]


async def serve_stdio(server: MCPServer[Any], on_end: Callable[[], None]) -> None:
    """Serve until stdin is closed or SIGTERM or SIGINT comes; the server's lifespan ends first.

    Args:
        server: what is served.
        on_end: called when the end begins, before requests under way are cancelled.
    """
    low_level = server._lowlevel_server
    options = low_level.create_initialization_options(
        NotificationOptions(prompts_changed=True, resources_changed=True, tools_changed=True)
    )
    # What start-up has made stays for ever: leaving it out of collections keeps calls and exit
    # quick (measured: exit in 0.03 s instead of 0.3 s).
    gc.freeze()
    gc.enable()
    can_poll = _can_poll_stdio()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_end_on_signal, tasks.cancel_scope, on_end)
        streams = _pipe_streams(on_end) if can_poll else _sdk_streams(on_end)
        async with streams as (reader, writer):
            try:
                await low_level.run(reader, writer, options)
            finally:
                if tasks.cancel_scope.cancel_called and not can_poll:
                    _leave_at_once()
        tasks.cancel_scope.cancel()


def _leave_at_once() -> NoReturn:
    """End the process after a signal where the SDK's reader sits in a thread until stdin closes."""
    sys.stderr.flush()
    os._exit(0)


async def _end_on_signal(scope: anyio.CancelScope, on_end: Callable[[], None]) -> None:
    if sys.platform == "win32":
        return
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as received:
        async for _number in received:
            on_end()
            scope.cancel()


def _can_poll_stdio() -> bool:
    """Tell whether stdin and stdout are what an event loop can wait for."""
    if sys.platform == "win32":
        return False
    try:
        modes = [os.fstat(descriptor).st_mode for descriptor in (0, 1)]
    except OSError:
        return False
    return all(stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) for mode in modes)


@asynccontextmanager
async def _pipe_streams(on_end: Callable[[], None]) -> AsyncIterator[Streams]:
    reader, writer, close = await _take_over_stdio()
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


@asynccontextmanager
async def _sdk_streams(on_end: Callable[[], None]) -> AsyncIterator[Streams]:
    """Give the SDK's own streams, and say when the incoming one has ended."""
    incoming, received = create_context_streams[SessionMessage | Exception](0)

    async def relay() -> None:
        async with incoming:
            async for item in reader:
                await incoming.send(item)
            on_end()

    async with stdio_server() as (reader, writer), anyio.create_task_group() as tasks:
        tasks.start_soon(relay)
        yield received, writer
        tasks.cancel_scope.cancel()


async def _take_over_stdio() -> tuple[asyncio.StreamReader, asyncio.StreamWriter, Any]:
    """Move the wire to private descriptors and return it as asyncio streams."""
    loop = asyncio.get_running_loop()
    sys.stdout.flush()
    wire_in, wire_out = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    reader = asyncio.StreamReader(limit=MAX_MESSAGE_BYTES)
    read_transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(wire_in, "rb", 0)
    )
    write_transport, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, os.fdopen(wire_out, "wb", 0)
    )
    writer = asyncio.StreamWriter(write_transport, protocol, None, loop)

    def close() -> None:
        read_transport.close()
        # Not close(): that waits for a client that may have stopped reading. One that is gone has
        # closed it already, and aborting that fails (CPython 3.11).
        if not write_transport.is_closing():
            write_transport.abort()

    return reader, writer, close


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
