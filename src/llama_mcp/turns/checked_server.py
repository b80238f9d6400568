"""The llama-server of a turn or a job, checked before anything is archived.

A turn notes its use as it begins and about once a second. So a model is unloaded as idle under it
only where a process stands still for longer than the operator lets a model be idle; it is then
brought back, here and in turn.py.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.ready_server import ModelUnloadedError, ReadyServer, ReadyServers
from llama_mcp.sessions.archive import Archive
from llama_mcp.turns.chat_request import ChatRequest, Sampling
from llama_mcp.turns.file_check import check_files
from llama_mcp.turns.json_schema import check_taken

Check = Callable[[ReadyServer], Awaitable[ReadyServer]]


async def server_for_turn(
    request: ChatRequest, servers: ReadyServers, archive: Archive
) -> ReadyServer:
    """Return a llama-server that takes the request, as far as that can be told now.

    Raises:
        LlamaMCPError: why there is none, or what is wrong with the files or the json_schema.
    """

    async def check(server: ReadyServer) -> ReadyServer:
        server = await check_files(request, server, archive)
        return await _check_schema(request.sampling, server)

    return await _checked(servers.ready_server, check)


async def server_for_job(
    sampling: Sampling, model: str | None, servers: ReadyServers
) -> ReadyServer:
    """Return a llama-server for the questions of a job.

    Raises:
        LlamaMCPError: why there is none, or what is wrong with the json_schema.
    """
    find = partial(servers.ready_server, model=model)
    return await _checked(find, partial(_check_schema, sampling))


async def _checked(find: Callable[[], Awaitable[ReadyServer]], check: Check) -> ReadyServer:
    """Return what passes the check; one that is unloaded meanwhile is asked for again."""
    while True:
        server = await find()
        try:
            return await check(server)
        except LlamaMCPError as error:
            if not isinstance(await server.explain_loss(error), ModelUnloadedError):
                raise


async def _check_schema(sampling: Sampling, server: ReadyServer) -> ReadyServer:
    if sampling.json_schema is not None and server.load is None:
        await check_taken(server, sampling)
    return server
