"""Commands that use the rooms: opened as a server does, without a client."""

import logging
import signal
import sys
from collections.abc import Awaitable, Callable

import anyio

from llama_mcp.file_modes import keep_private
from llama_mcp.reading_settings import read_settings
from llama_mcp.services import Services, open_services
from llama_mcp.settings import inherited_environment

UseOfRooms = Callable[[Services], Awaitable[int]]
ENDED_BY_SIGNAL = 143


def use_rooms(use: UseOfRooms) -> int:
    """Open the rooms, use them, close them; return what the use returns.

    SIGTERM and SIGHUP end the use as a cancellation, so that nothing is left behind.
    """
    logging.basicConfig(level=logging.ERROR)
    keep_private()
    return anyio.run(_use, use)


async def _use(use: UseOfRooms) -> int:
    environment = inherited_environment()
    exit_code = ENDED_BY_SIGNAL
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_cancel_on_signal, tasks.cancel_scope)
        async with open_services(read_settings(environment), environment) as services:
            exit_code = await use(services)
        tasks.cancel_scope.cancel()
    return exit_code


async def _cancel_on_signal(scope: anyio.CancelScope) -> None:
    names = [] if sys.platform == "win32" else ["SIGTERM", "SIGHUP"]
    if not names:
        return
    with anyio.open_signal_receiver(*(signal.Signals[name] for name in names)) as signals:
        async for _ in signals:
            scope.cancel()
            return
