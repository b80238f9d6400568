"""How the system or a person asks us to end: signals, and on Windows the events of a console."""

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import anyio

logger = logging.getLogger(__name__)

# Windows gives a program 5 s after its console was closed, 20 s at shutdown, and ends it then.
CONSOLE_CLOSE_SECONDS = 20.0


async def call_when_asked_to_end(on_asked: Callable[[], object]) -> None:
    """Call on_asked on the event loop with each SIGTERM or SIGINT.

    On Windows with each Ctrl-C, Ctrl-Break, closing of the console, logging off and shutting down.
    """
    if sys.platform == "win32":
        loop = asyncio.get_running_loop()
        _listen_to_console(lambda: loop.call_soon_threadsafe(on_asked))
        return
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as received:
        async for _number in received:
            on_asked()


def is_answered(
    event: int, tell: Callable[[], object], hold_seconds: float = CONSOLE_CLOSE_SECONDS
) -> bool:
    """Tell of a console event, and return whether it was dealt with.

    Windows calls this in a thread of its own. When it returns from a close event, the process is
    ended at once, whatever the other threads are doing.

    Args:
        event: CTRL_C_EVENT (0), CTRL_BREAK_EVENT (1), or another, which ends the process.
        tell: raises RuntimeError when the event loop is over; then Windows' own answer counts.
        hold_seconds: how long an event that ends the process is held up.
    """
    try:
        tell()
    except RuntimeError:
        return False
    if event not in (0, 1):
        time.sleep(hold_seconds)
    return True


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    # Kept: the system calls them until the process ends. They are never taken out again, because
    # that waits for one that is being called.
    _handlers: list[Any] = []

    def _listen_to_console(tell: Callable[[], object]) -> None:
        kind = ctypes.WINFUNCTYPE(wintypes.BOOL, wintypes.DWORD)
        handler = kind(lambda event: is_answered(event, tell))
        _handlers.append(handler)
        if not ctypes.windll.kernel32.SetConsoleCtrlHandler(handler, True):
            logger.warning("Ctrl-C and the closing of the console will end llama-mcp at once.")
