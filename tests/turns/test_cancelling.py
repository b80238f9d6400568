"""A reply of another process is stopped, while that process and its session go on."""

from collections.abc import Awaitable, Callable
from functools import partial

import anyio
import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.errors import SessionNotFoundError
from llama_mcp.sessions.records import TurnEnding, TurnStatus
from llama_mcp.turns.cancelling import NOTHING_STOPPED
from llama_mcp.turns.replies.reply import ChatReply
from tests.support.processes import PATIENCE_SECONDS, POLL_SECONDS
from tests.turns.conftest import Room

pytestmark = pytest.mark.posix  # not tried with the batch file that is the stand-in on Windows


async def until_asked(archive: Archive, session_id: str) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        while not await archive.is_cancel_asked(session_id, 1):
            await anyio.sleep(POLL_SECONDS)


async def begin(archive: Archive, session_id: str | None = None) -> str:
    begun = await archive.begin_turn(session_id, "hello", owner=LOCAL_OWNER)
    return begun.session.session_id


async def end(archive: Archive, session_id: str, status: TurnStatus, reply: str) -> None:
    await archive.end_turn(session_id, 1, TurnEnding(status=status, reply=reply))


async def reply_to_cancel(
    room: Room, other: Archive, session_id: str, act: Callable[[], Awaitable[None]]
) -> ChatReply:
    """Return what is told of a cancel, with something done between its mark and its answer."""
    told: list[ChatReply] = []

    async def cancel() -> None:
        told.append(await room.in_flight.cancel(session_id, owner=LOCAL_OWNER))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(cancel)
        await until_asked(other, session_id)
        await act()
    return told[0]


async def test_a_session_that_has_gone_on_meanwhile_keeps_its_newest_reply(
    idle_room: Room, other: Archive
) -> None:
    session_id = await begin(other)

    async def go_on() -> None:  # nobody looks between the two
        await end(other, session_id, TurnStatus.CANCELLED, "a part")
        await begin(other, session_id)

    reply = await reply_to_cancel(idle_room, other, session_id, go_on)
    if reply.turn == 1:  # it was seen between the two
        assert (reply.status, reply.reply) == (TurnStatus.CANCELLED, "a part")
        return
    assert (reply.turn, reply.status) == (2, TurnStatus.IN_PROGRESS)
    assert "Turn 1 has ended, and turn 2 has begun since: this one goes on." in reply.notes
    assert not await other.is_cancel_asked(session_id, 2)


async def test_a_reply_that_is_whole_before_the_mark_is_read_says_that_nothing_was_stopped(
    idle_room: Room, other: Archive
) -> None:
    session_id = await begin(other)
    whole = partial(end, other, session_id, TurnStatus.COMPLETE, "all of it")
    reply = await reply_to_cancel(idle_room, other, session_id, whole)
    assert (reply.status, reply.reply) == (TurnStatus.COMPLETE, "all of it")
    assert NOTHING_STOPPED in reply.notes


async def test_nobody_stops_a_reply_of_another_owner(idle_room: Room, other: Archive) -> None:
    session_id = await begin(other)
    with pytest.raises(SessionNotFoundError):
        await idle_room.in_flight.cancel(session_id, owner="somebody else")
    with pytest.raises(SessionNotFoundError):
        await other.ask_cancel(session_id, 1, owner="somebody else")
    assert not await other.is_cancel_asked(session_id, 1)
