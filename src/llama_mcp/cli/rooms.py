"""Commands that use the rooms: opened as a server does, without a client."""

import logging
from collections.abc import Awaitable, Callable

import anyio

from llama_mcp.cli.signals import until_signal
from llama_mcp.file_modes import keep_private
from llama_mcp.reading_settings import read_settings
from llama_mcp.services import Services, open_services
from llama_mcp.settings import inherited_environment

UseOfRooms = Callable[[Services], Awaitable[int]]


def use_rooms(use: UseOfRooms) -> int:
    """Open the rooms, use them, close them; return what the use returns."""
    logging.basicConfig(level=logging.ERROR)
    keep_private()
    return anyio.run(until_signal, lambda: _use(use))


async def _use(use: UseOfRooms) -> int:
    environment = inherited_environment()
    async with open_services(read_settings(environment), environment) as services:
        return await use(services)
