"""The wire: the descriptors that we were started with, moved to where nothing else can touch them.

The event loop reads and writes pipes and sockets itself on POSIX: a message costs no thread hops
(measured: half the time for a call, several times the notifications of the SDK's own transport).
Elsewhere threads do it. While serving, descriptor 0 is the null device and 1 is stderr: neither a
stray print nor a child can touch the wire.
"""

import asyncio
import os
import stat
import sys
from collections.abc import Callable

from llama_mcp.surface.stdio.threads import ReadingThread, WritingThread

# The largest message that is read; the SDK's clients stop at 10 MiB.
MAX_MESSAGE_BYTES = 64 * 1024 * 1024

Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter, Callable[[], None]]


async def take_over_stdio(unread: bytes = b"") -> Wire:
    """Move the wire to private descriptors and return it as streams, and what closes them.

    Args:
        unread: what was read from stdin before, and is read again.
    """
    can_poll = _can_poll_stdio()
    if sys.stdout is not None:  # Python's, when it was closed
        sys.stdout.flush()
    wire_in, wire_out = _moved(0, os.devnull), _moved(1, 2)
    reader = asyncio.StreamReader(limit=MAX_MESSAGE_BYTES)
    reader.feed_data(unread)  # before the transport does
    feeding = asyncio.StreamReaderProtocol(reader)
    draining = asyncio.streams.FlowControlMixin()
    read_transport: asyncio.ReadTransport
    write_transport: asyncio.WriteTransport
    if can_poll:
        loop = asyncio.get_running_loop()
        read_transport, _ = await loop.connect_read_pipe(
            lambda: feeding, os.fdopen(wire_in, "rb", 0)
        )
        write_transport, _ = await loop.connect_write_pipe(
            lambda: draining, os.fdopen(wire_out, "wb", 0)
        )
    else:
        read_transport = ReadingThread(wire_in, feeding)
        write_transport = WritingThread(wire_out, draining)
    writer = asyncio.StreamWriter(write_transport, draining, None, asyncio.get_running_loop())

    def close() -> None:
        read_transport.close()
        # Not close(): that waits for a client that may have stopped reading. One that is gone has
        # closed it already, and aborting that fails (CPython 3.11).
        if not write_transport.is_closing():
            write_transport.abort()

    return reader, writer, close


def _can_poll_stdio() -> bool:
    """Tell whether stdin and stdout are what an event loop can wait for."""
    if sys.platform == "win32":
        return False
    try:
        modes = [os.fstat(descriptor).st_mode for descriptor in (0, 1)]
    except OSError:
        return False
    return all(stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) for mode in modes)


def _moved(descriptor: int, stand_in: int | str) -> int:
    """Return a private copy of a descriptor, and put a stand-in in its place."""
    private = os.dup(descriptor)
    if isinstance(stand_in, str):
        opened = os.open(stand_in, os.O_RDONLY)
        os.dup2(opened, descriptor)
        os.close(opened)
    else:
        os.dup2(stand_in, descriptor)
    if sys.platform == "win32":
        _rebind(private, descriptor)
    return private


if sys.platform == "win32":
    import ctypes
    import msvcrt

    # GetStdHandle's numbers for the descriptors 0, 1 and 2 count down from here.
    _STD_INPUT_HANDLE = -10

    def _rebind(private: int, descriptor: int) -> None:
        """Let children inherit the stand-in, and take every byte of the wire as it is.

        dup2 changes the C library's table alone, and children get what Windows' own table has.
        """
        msvcrt.setmode(private, os.O_BINARY)
        ctypes.windll.kernel32.SetStdHandle(
            ctypes.c_ulong(_STD_INPUT_HANDLE - descriptor),
            ctypes.c_void_p(msvcrt.get_osfhandle(descriptor)),
        )
