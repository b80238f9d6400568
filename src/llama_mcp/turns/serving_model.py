"""Which model serves a turn: the one that is named, else the session's, else what there is."""

from collections.abc import Sequence

from llama_mcp.llama_server.ready_server import ReadyServer, ReadyServers
from llama_mcp.sessions.archive import Archive
from llama_mcp.turns.chat_request import ChatRequest


async def server_for(
    request: ChatRequest, servers: ReadyServers, archive: Archive
) -> tuple[ReadyServer, Sequence[str]]:
    """Return the llama-server of a turn, which may still load, and what its caller should know.

    Args:
        request: What is asked.
        servers: Give it.
        archive: Knows by which model the session was answered before.

    Raises:
        LlamaMCPError: Why there is none.
    """
    before = await archive.last_model(request.session_id) if request.session_id else None
    server = await servers.ready_server(
        model=request.model, usual_model=before, wait_seconds=request.wait_seconds
    )
    if before is None or request.model is not None or server.model == before:
        return server, ()
    return server, (f"{server.model} answers; the turn before was answered by {before}.",)
