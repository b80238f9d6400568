"""A reply of another process, stopped: a mark in the archive, which that process reads.

It looks about once a second, as it saves what has come. Meanwhile the turn may end, that process
may die, and the session may go on.
"""

from collections.abc import Awaitable, Callable

import anyio

from llama_mcp.llama_server.ready_server import LeftReplies
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.records import TurnStatus
from llama_mcp.turns.errors import ReplyElsewhereError
from llama_mcp.turns.replies.reply import ChatReply
from llama_mcp.turns.turn import Turn

NOTHING_STOPPED = "The reply had ended before this call, which has stopped nothing."
CANCEL_SECONDS = 10.0
POLL_SECONDS = 0.25


async def stop_elsewhere(
    archive: Archive,
    left: LeftReplies,
    underway: ChatReply,
    *,
    owner: str,
    look: Callable[[], Awaitable[ChatReply]],
    take_over: Callable[[], Awaitable[Turn | None]],
) -> ChatReply:
    """Have the process that generates a reply stop it, and return what had come.

    Args:
        archive: The sessions.
        left: Stops what llama-server generates.
        underway: The reply, as the archive has it.
        owner: Whose it is.
        look: Returns the session's last reply as the archive has it now.
        take_over: Returns the turn if its process has ended meanwhile, to be stopped here.

    Raises:
        ReplyElsewhereError: It does not stop in time.
        TurnFailedError: The turn broke off meanwhile.
    """
    session_id, turn = underway.session_id, underway.turn
    point = await archive.ask_cancel(session_id, turn, owner=owner)
    if point is not None:
        # Its slot is free at once, however long the other process takes to look.
        await left.stop(point)
    taken_over: Turn | None = None
    with anyio.move_on_after(CANCEL_SECONDS):
        while taken_over is None:
            reply = await look()
            if reply.turn != turn or reply.status is not TurnStatus.IN_PROGRESS:
                return _told(reply, turn)
            if (taken_over := await take_over()) is None:
                await anyio.sleep(POLL_SECONDS)
    if taken_over is None:
        raise ReplyElsewhereError(session_id, CANCEL_SECONDS)
    # Ours now: nobody else is waited for.
    await taken_over.cancel()
    return await taken_over.deliver()


def nothing_stopped(reply: ChatReply) -> ChatReply:
    """Return the reply, and that it was over."""
    return reply.model_copy(update={"notes": [*reply.notes, NOTHING_STOPPED]})


def _told(reply: ChatReply, turn: int) -> ChatReply:
    if reply.turn != turn:
        note = f"Turn {turn} has ended, and turn {reply.turn} has begun since: this one goes on."
        return reply.model_copy(update={"notes": [*reply.notes, note]})
    return reply if reply.status is TurnStatus.CANCELLED else nothing_stopped(reply)
