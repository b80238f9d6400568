"""The llama-server of a turn or a job, checked before anything is archived.

A turn notes its use as it begins and about once a second. So a model is unloaded as idle under it
only where a process stands still for longer than the operator lets a model be idle; it is then
brought back, here and in turn.py.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.ready_server import (
    ModelUnloadedError,
    Patience,
    ReadyServer,
    ReadyServers,
    TellWait,
    WantedServer,
)
from llama_mcp.sessions.archive import Archive
from llama_mcp.turns.chat_request import ChatRequest, Sampling
from llama_mcp.turns.file_check import check_files
from llama_mcp.turns.jobs.job_request import JobRequest
from llama_mcp.turns.json_schema import check_taken

Check = Callable[[ReadyServer], Awaitable[ReadyServer]]


async def server_for_turn(
    request: ChatRequest,
    servers: ReadyServers,
    archive: Archive,
    tell_wait: TellWait | None = None,
) -> tuple[ReadyServer, Sequence[str]]:
    """Return a llama-server that takes the request, as far as that can be told now.

    It has the model that is named, else the one that has answered the session before, else what
    there is.

    Args:
        request: What is asked.
        servers: Give it.
        archive: Knows by which model the session was answered.
        tell_wait: Is told of a wait for room.

    Returns:
        It, which may still load, and what the caller should know of its model.

    Raises:
        LlamaMCPError: why there is none, or what is wrong with the files or the json_schema.
    """
    before = None
    if request.session_id:
        before = await archive.last_model(request.session_id, owner=request.owner)
    patience = Patience(request.wait_seconds, tell_wait)
    wanted = WantedServer(request.model, usual_model=before, patience=patience)

    async def check(server: ReadyServer) -> ReadyServer:
        server = await check_files(request, server, archive)
        return await _check_schema(request.sampling, server)

    server = await _checked(partial(servers.ready_server, wanted), check)
    if before is None or request.model is not None or server.model == before:
        return server, ()
    return server, (f"{server.model} answers; the turn before was answered by {before}.",)


async def server_for_job(
    sampling: Sampling,
    request: JobRequest,
    servers: ReadyServers,
    tell_wait: TellWait | None = None,
) -> ReadyServer:
    """Return a llama-server for the questions of a job.

    Args:
        sampling: As the job has it, with the schema that its json_schema means.
        request: Names the model, if any.
        servers: Give it.
        tell_wait: Is told of a wait for room.

    Raises:
        LlamaMCPError: why there is none, or what is wrong with the json_schema.
    """
    wanted = WantedServer(request.model, patience=Patience(request.wait_seconds, tell_wait))
    return await _checked(partial(servers.ready_server, wanted), partial(_check_schema, sampling))


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
