"""A session's last reply as the archive has it, whoever has received or receives it."""

import anyio

from llama_mcp.errors import LlamaMCPError
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.records import TurnStatus
from llama_mcp.turns.errors import TurnFailedError
from llama_mcp.turns.replies.reply import ChatReply
from llama_mcp.turns.replies.reply_building import reply_from_archive

# Another process writes what it has received about once a second.
POLL_SECONDS = 0.5


async def archived_reply(
    archive: Archive, session_id: str, wait_seconds: float, *, owner: str
) -> ChatReply:
    """Return the session's last reply; one that another process generates is waited for.

    Args:
        archive: The sessions.
        session_id: The session.
        wait_seconds: How long to wait for the end of the reply.
        owner: Whose the session must be.

    Raises:
        NoReplyUnderwayError: The session has no turn.
        TurnFailedError: The last turn broke off.
    """
    session_id = await archive.find_id(session_id, owner=owner)
    last = await archive.last_turn(session_id, owner=owner)
    with anyio.move_on_after(wait_seconds):
        while last.status is TurnStatus.IN_PROGRESS:
            await anyio.sleep(POLL_SECONDS)
            last = await archive.last_turn(session_id, owner=owner)
    job = await archive.job(session_id, last.turn, owner=owner)
    # Of a job that broke off, the finished pieces are a result.
    if last.error and not (job and last.reply):
        raise TurnFailedError(session_id, last.turn, LlamaMCPError(last.error), last.reply)
    return reply_from_archive(session_id, last, job)
