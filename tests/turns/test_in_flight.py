"""What may be asked about a session's turns, whichever process has them."""

import os
import signal
from functools import partial
from pathlib import Path

import anyio
import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.errors import (
    SessionBusyError,
    SessionNotFoundError,
)
from llama_mcp.sessions.records import TurnEnding, TurnStatus
from llama_mcp.sessions.session_ids import mint_session_id
from llama_mcp.turns import in_flight
from llama_mcp.turns.calls import Asked, Call
from llama_mcp.turns.errors import ReplyElsewhereError, TurnFailedError
from llama_mcp.turns.in_flight import NOTHING_STOPPED
from llama_mcp.turns.replies.reply import ChatReply
from tests.fake_llama_server.install import recorded_launches
from tests.support.processes import PATIENCE_SECONDS, is_gone, until
from tests.turns.conftest import HANGING, PART, SENTENCE, Room

pytestmark = pytest.mark.posix  # not tried with the batch file that is the stand-in on Windows

COMPLETE = TurnEnding(status=TurnStatus.COMPLETE, reply="from elsewhere")


async def test_a_message_is_archived_before_anything_is_sent(room: Room, other: Archive) -> None:
    room.set_faults(**HANGING)
    turn = await room.begin("first of all")
    assert room.prompts() == []
    archived = await other.last_turn(turn.session_id, owner=LOCAL_OWNER)
    assert (archived.message, archived.status) == ("first of all", TurnStatus.IN_PROGRESS)
    await until(lambda: room.prompts() == ["first of all"], "it is sent")


async def test_an_unknown_session_is_refused_before_llama_server_is_looked_for(
    idle_room: Room, home: Path
) -> None:
    with pytest.raises(SessionNotFoundError):
        await idle_room.begin("hello", mint_session_id())
    assert not (home / "runs").exists()


async def test_an_unknown_session_restarts_no_crashed_llama_server(room: Room) -> None:
    (launch,) = recorded_launches(room.fake_folder)
    os.kill(launch["pid"], signal.Signals["SIGKILL"])
    await until(lambda: is_gone(launch["pid"]), "llama-server is dead")
    with pytest.raises(SessionNotFoundError):
        await room.begin("hello", mint_session_id())
    assert len(recorded_launches(room.fake_folder)) == 1


async def test_a_busy_session_is_refused_before_llama_server_is_looked_for(
    idle_room: Room, other: Archive, home: Path
) -> None:
    begun = await other.begin_turn(None, "hello", owner=LOCAL_OWNER)
    with pytest.raises(SessionBusyError):
        await idle_room.begin("me too", begun.session.session_id)
    assert not (home / "runs").exists()


async def test_a_turn_is_announced_as_it_begins_and_when_it_is_over(room: Room) -> None:
    turn = await room.complete("hello")
    await until(lambda: len(room.announced) == 2, "its end is announced")
    await room.complete("again", turn.session_id)
    await until(lambda: len(room.announced) == 4, "both ends are announced")
    expected = [(turn.session_id, is_new) for is_new in (True, False, False, False)]
    assert room.announced == expected


async def test_the_latest_turn_is_ours_until_another_process_goes_on(
    room: Room, other: Archive
) -> None:
    turn = await room.begin_hanging("hello")
    assert await room.in_flight.latest(f" {turn.session_id.upper()} ", owner=LOCAL_OWNER) is turn
    await room.in_flight.cancel(turn.session_id, owner=LOCAL_OWNER)
    assert await room.in_flight.latest(turn.session_id, owner=LOCAL_OWNER) is turn

    begun = await other.begin_turn(turn.session_id, "and now?", owner=LOCAL_OWNER)

    assert await room.in_flight.latest(turn.session_id, owner=LOCAL_OWNER) is None
    await other.end_turn(turn.session_id, begun.turn, COMPLETE)
    reply = await room.in_flight.archived_reply(turn.session_id, 0, owner=LOCAL_OWNER)
    assert (reply.turn, reply.reply) == (2, "from elsewhere")


async def test_a_reply_that_another_process_generates_is_waited_for(
    idle_room: Room, other: Archive
) -> None:
    begun = await other.begin_turn(None, "hello", owner=LOCAL_OWNER)
    session_id = begun.session.session_id
    replies: list[ChatReply] = []

    async def wait() -> None:
        replies.append(
            await idle_room.in_flight.archived_reply(
                session_id, PATIENCE_SECONDS, owner=LOCAL_OWNER
            )
        )

    unfinished = await idle_room.in_flight.archived_reply(session_id, 0, owner=LOCAL_OWNER)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        assert replies == []
        await other.end_turn(session_id, begun.turn, COMPLETE)

    assert unfinished.status is TurnStatus.IN_PROGRESS
    assert [(reply.status, reply.reply) for reply in replies] == [
        (TurnStatus.COMPLETE, "from elsewhere")
    ]


async def test_data_that_another_process_received_is_given_as_data(
    idle_room: Room, other: Archive
) -> None:
    for reply, data in (('{"n": 1}', {"n": 1}), ('{"n": ', None), ("[" * 101 + "]" * 101, None)):
        begun = await other.begin_turn(
            None, "hello", sampling={"json_schema": {}}, owner=LOCAL_OWNER
        )
        session_id = begun.session.session_id
        ending = TurnEnding(status=TurnStatus.COMPLETE, reply=reply)
        await other.end_turn(session_id, begun.turn, ending)
        given = await idle_room.in_flight.archived_reply(session_id, 0, owner=LOCAL_OWNER)
        assert (given.parsed, given.reply) == (data, reply)


async def test_a_turn_that_failed_elsewhere_is_an_error_that_quotes_what_came(
    idle_room: Room, other: Archive
) -> None:
    begun = await other.begin_turn(None, "hello", owner=LOCAL_OWNER)
    session_id = begun.session.session_id
    ending = TurnEnding(status=TurnStatus.FAILED, reply="half a", error="It crashed.")
    await other.end_turn(session_id, 1, ending)
    for ask in (
        idle_room.in_flight.archived_reply(session_id, 0, owner=LOCAL_OWNER),
        idle_room.in_flight.cancel(session_id, owner=LOCAL_OWNER),
    ):
        with pytest.raises(TurnFailedError, match=r"(?s)It crashed.*half a"):
            await ask


async def test_a_session_without_a_turn_has_no_reply(idle_room: Room, other: Archive) -> None:
    with pytest.raises(SessionNotFoundError):
        await idle_room.in_flight.latest("../sessions.db", owner=LOCAL_OWNER)
    with pytest.raises(SessionNotFoundError):
        await idle_room.in_flight.cancel(mint_session_id(), owner=LOCAL_OWNER)


async def test_a_cancelled_reply_is_archived_as_far_as_it_came(room: Room, other: Archive) -> None:
    turn = await room.begin_hanging("hello")
    reply = await room.in_flight.cancel(turn.session_id, owner=LOCAL_OWNER)
    archived = await other.last_turn(turn.session_id, owner=LOCAL_OWNER)
    assert (reply.status, reply.reply) == (TurnStatus.CANCELLED, PART)
    assert (archived.status, archived.reply, archived.error) == (reply.status, PART, None)


async def test_cancelling_a_reply_that_is_over_gives_it_whole(room: Room) -> None:
    turn = await room.complete("hello")
    reply = await room.in_flight.cancel(turn.session_id, owner=LOCAL_OWNER)
    assert (reply.status, reply.reply) == (TurnStatus.COMPLETE, SENTENCE)
    assert NOTHING_STOPPED in reply.notes


async def test_a_reply_of_another_process_is_cancelled_there_and_kept(
    room: Room, other: Archive
) -> None:
    turn = await room.begin_hanging("hello")
    async with anyio.create_task_group() as tasks:
        servers, left = room.starter.supervisor, room.starter.in_flight.left
        elsewhere = in_flight.InFlight(servers, left, other, tasks, traces_content=False)
        reply = await elsewhere.cancel(turn.session_id[:6], owner=LOCAL_OWNER)

    assert (reply.status, reply.reply) == (TurnStatus.CANCELLED, PART)
    assert "It was stopped from another llama-mcp process than its own." in reply.notes
    await until(lambda: turn.is_over, "the turn is over where it was generated, too")
    assert turn.snapshot().status is TurnStatus.CANCELLED


async def test_a_reply_of_another_process_that_does_not_stop_is_named_with_a_way_out(
    idle_room: Room, other: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_flight, "CANCEL_SECONDS", 0.1)
    begun = await other.begin_turn(None, "hello", owner=LOCAL_OWNER)
    with pytest.raises(ReplyElsewhereError, match="asked to stop.*by force"):
        await idle_room.in_flight.cancel(begun.session.session_id, owner=LOCAL_OWNER)


async def test_a_message_that_follows_a_cancel_at_once_waits_for_its_end(room: Room) -> None:
    turn = await room.begin_hanging("hello")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(room.in_flight.cancel, turn.session_id, owner=LOCAL_OWNER))
        await anyio.lowlevel.checkpoint()
        room.set_faults()
        following = await room.complete("go on", turn.session_id)
    assert following.snapshot().reply == SENTENCE
    assert turn.snapshot().status is TurnStatus.CANCELLED


async def test_a_request_that_its_caller_takes_back_is_cancelled_but_not_during_shutdown(
    room: Room,
) -> None:
    turn = await room.begin_hanging("hello")
    call = Call(turn.session_id, turn.owner, Asked("hello", turn))
    room.services.announce_shutdown()
    await room.in_flight.withdraw(call)
    assert not turn.is_over
    room.in_flight.is_shutting_down = False
    await room.in_flight.withdraw(call)
    assert turn.snapshot().status is TurnStatus.CANCELLED
