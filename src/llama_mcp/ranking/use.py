"""That a llama-server is used, noted as long as texts are ranked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from llama_mcp.llama_server.rank_server import RankServer

NOTE_SECONDS = 1.0


@asynccontextmanager
async def in_use(server: RankServer) -> AsyncIterator[None]:
    """Note the use of a llama-server until the context ends, so that it is not unloaded as idle.

    Texts may be read for long, from documents for example, before there is something to ask.
    """
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_note_regularly, server)
        try:
            yield
        except Exception as error:
            failure = error  # raised below: a task group would make a group of it
        tasks.cancel_scope.cancel()
    server.note_use()
    if failure is not None:
        raise failure


async def _note_regularly(server: RankServer) -> None:
    while True:
        server.note_use()
        await anyio.sleep(NOTE_SECONDS)
