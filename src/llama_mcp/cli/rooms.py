"""Commands that use the rooms: opened as a server does, without a client."""

import logging
from collections.abc import Awaitable, Callable

import anyio

from llama_mcp.cli.failures import FAILED
from llama_mcp.cli.signals import until_signal
from llama_mcp.errors import LlamaMCPError
from llama_mcp.file_modes import keep_private
from llama_mcp.opening import open_services
from llama_mcp.reading_settings import read_settings
from llama_mcp.services import Services
from llama_mcp.settings import inherited_environment

UseOfRooms = Callable[[Services], Awaitable[int]]


def use_rooms(use: UseOfRooms, *, only_looks: bool = False) -> int:
    """Open the rooms, use them, close them; return what the use returns.

    Args:
        use: what is done.
        only_looks: nothing is taken over, cleared away or replaced by itself.

    Raises:
        LlamaMCPError: what the use raises.
        OSError: likewise, such as that nobody reads our stdout any more.
    """
    logging.basicConfig(level=logging.ERROR)
    keep_private()
    failures: list[Exception] = []

    async def kept() -> int:
        environment = inherited_environment()
        settings = read_settings(environment)
        async with open_services(settings, environment, only_looks=only_looks) as services:
            try:
                return await use(services)
            except (LlamaMCPError, OSError) as error:  # raised here it would come in a group
                failures.append(error)
                return FAILED

    exit_code = anyio.run(until_signal, kept)
    if failures:
        raise failures[0]
    return exit_code
