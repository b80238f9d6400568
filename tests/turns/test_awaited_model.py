"""Turns whose model still loads when their message comes."""

from pathlib import Path
from typing import Any

import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.errors import InvalidArgumentError
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.errors import SessionNotFoundError
from llama_mcp.sessions.left_turns import StreamPoint
from llama_mcp.sessions.records import TurnStatus
from llama_mcp.sessions.session_ids import mint_session_id
from llama_mcp.turns.chat_request import ChatRequest, Sampling
from llama_mcp.turns.errors import TurnFailedError
from llama_mcp.turns.turn import Turn
from tests.fake_llama_server.install import recorded_launches
from tests.support.processes import until, until_all_leave
from tests.turns.conftest import SENTENCE, Room

pytestmark = pytest.mark.posix  # not tried with the batch file that is the stand-in on Windows

HELD = {"load_held": True}


async def begin_waiting(room: Room, message: str) -> Turn:
    room.set_faults(**HELD)
    turn = await room.begin(message)
    await until(lambda: bool(turn.reply.load and turn.reply.load.seconds), "it hears of the load")
    return turn


async def test_a_message_is_archived_before_its_model_has_loaded_and_sent_afterwards(
    idle_room: Room, other: Archive
) -> None:
    turn = await begin_waiting(idle_room, "first of all")
    archived = await other.last_turn(turn.session_id, owner=LOCAL_OWNER)
    assert (archived.message, archived.status) == ("first of all", TurnStatus.IN_PROGRESS)
    waiting = await turn.deliver()
    assert waiting.load and waiting.status is TurnStatus.IN_PROGRESS and waiting.reply == ""
    assert waiting.notes == ["llama-server was started for this call (tiny)."]
    assert (idle_room.in_flight.waiting, idle_room.prompts()) == (1, [])
    idle_room.set_faults()
    await until(lambda: turn.is_over, "the turn is over")
    reply = await turn.deliver()
    assert (reply.reply, reply.load, idle_room.prompts()) == (SENTENCE, None, ["first of all"])
    assert reply.notes == waiting.notes and idle_room.in_flight.waiting == 0


async def test_a_turn_is_taken_back_while_its_model_loads_and_the_model_loads_on(
    idle_room: Room, other: Archive
) -> None:
    turn = await begin_waiting(idle_room, "never mind")
    cancelled = await idle_room.in_flight.cancel(turn.session_id, owner=LOCAL_OWNER)
    assert (cancelled.status, cancelled.load) == (TurnStatus.CANCELLED, None)
    assert (
        await other.last_turn(turn.session_id, owner=LOCAL_OWNER)
    ).status is TurnStatus.CANCELLED
    idle_room.set_faults()
    assert (await idle_room.complete("hello", turn.session_id)).reply.text == SENTENCE
    assert idle_room.prompts() == ["hello"]
    assert len(recorded_launches(idle_room.fake_folder)) == 1


async def test_a_turn_is_taken_back_from_another_process_while_its_model_loads(
    idle_room: Room, other: Archive
) -> None:
    turn = await begin_waiting(idle_room, "never mind")
    await other.ask_cancel(turn.session_id, turn.number, owner=LOCAL_OWNER)
    await until(lambda: turn.is_over, "the turn is over")
    assert (
        await other.last_turn(turn.session_id, owner=LOCAL_OWNER)
    ).status is TurnStatus.CANCELLED


async def test_a_model_that_does_not_load_fails_the_turn_and_keeps_the_message(
    idle_room: Room, other: Archive
) -> None:
    idle_room.set_faults(exit_during_load=3, load_seconds=0.1)
    turn = await idle_room.complete("first of all")
    with pytest.raises(TurnFailedError, match=r"did not start.*exit code 3") as failure:
        await turn.deliver()
    assert f"This was turn 1 of session {turn.session_id}." in str(failure.value)
    archived = await other.last_turn(turn.session_id, owner=LOCAL_OWNER)
    assert (archived.message, archived.status) == ("first of all", TurnStatus.FAILED)
    assert archived.error and "exit code 3" in archived.error
    idle_room.set_faults()
    assert (await idle_room.complete("again", turn.session_id)).reply.text == SENTENCE


async def test_a_stop_while_the_model_loads_fails_the_turns_that_wait_for_it(
    idle_room: Room,
) -> None:
    turns = [await begin_waiting(idle_room, message) for message in ("one", "two")]
    await idle_room.starter.supervisor.stop(force=True)
    for turn in turns:
        await until(lambda turn=turn: turn.is_over, "the turn is over")  # type: ignore[misc]
        with pytest.raises(TurnFailedError, match="stopped while it was loading"):
            await turn.deliver()


@pytest.mark.parametrize(
    ("finish_seconds", "status"), [(600, TurnStatus.IN_PROGRESS), (0, TurnStatus.INTERRUPTED)]
)
async def test_a_process_that_ends_while_the_model_loads_leaves_its_turn_where_replies_may_go_on(
    open_room: Any, other: Archive, finish_seconds: float, status: TurnStatus
) -> None:
    # Until it is stopped, the keeper stays for whoever comes next.
    async with open_room(finish_seconds=finish_seconds, linger_seconds=600) as room:
        turn = await begin_waiting(room, "hello")
        room.services.announce_shutdown()
    assert (await other.last_turn(turn.session_id, owner=LOCAL_OWNER)).status is status


async def test_what_was_not_sent_waits_for_somebody_as_long_as_a_reply_would_go_on(
    idle_room: Room,
) -> None:
    turn, left = await begin_waiting(idle_room, "hello"), idle_room.in_flight.left
    (run,) = idle_room.services.settings.runs_dir.glob("*/launch.json")
    point = StreamPoint("0" * 32, run.parent.name)
    assert await left.can_be_sent(point, age_seconds=599)
    assert not await left.can_be_sent(point, age_seconds=600)
    await turn.cancel()
    await idle_room.starter.supervisor.stop(force=True)
    await until_all_leave(idle_room.fake_folder.parent, "its keeper has left")
    assert not await left.can_be_sent(point, age_seconds=0)


async def test_a_schema_that_cannot_be_kept_to_is_told_once_the_model_has_loaded(
    idle_room: Room,
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    request = ChatRequest(
        message="a number", sampling=Sampling(json_schema=schema), owner=LOCAL_OWNER
    )
    refusal = {"code": 400, "body": {"error": {"code": 400, "message": "failed to parse grammar"}}}
    idle_room.set_faults(**HELD)
    turn = await idle_room.in_flight.take_turn(request)
    idle_room.set_faults(by_text={"response_format": {"answers": {"/apply-template": refusal}}})
    await until(lambda: turn.is_over, "the turn is over")
    assert isinstance(turn.error, InvalidArgumentError)
    assert idle_room.prompts() == []


async def test_loading_is_no_part_of_the_figures_of_a_turn(idle_room: Room) -> None:
    turn = await begin_waiting(idle_room, "hello")
    waited_ms = turn.reply.load.seconds * 1000 if turn.reply.load else 0
    begun_at = turn.reply.begun_at
    idle_room.set_faults()
    await until(lambda: turn.is_over, "the turn is over")
    assert waited_ms > 0 and turn.reply.begun_at > begun_at


async def test_what_cannot_begin_starts_no_llama_server(idle_room: Room, home: Path) -> None:
    with pytest.raises(SessionNotFoundError):
        await idle_room.begin("hello", mint_session_id())
    with pytest.raises(InvalidArgumentError):
        await idle_room.begin("  ")
    assert not (home / "runs").exists()
