"""A reply that a crash of llama-server breaks off goes on, where the rest fits to what has come."""

from typing import Any

import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.records import TurnStatus
from llama_mcp.turns.chat_request import ChatRequest, Sampling
from llama_mcp.turns.turn import Turn
from tests.fake_llama_server.install import received_requests, recorded_launches
from tests.fake_llama_server.running import CHAT
from tests.support.processes import until
from tests.turns.conftest import PART, SENTENCE, Room

pytestmark = pytest.mark.posix  # not tried with the batch file that is the stand-in on Windows

# It dies once, at the first request: later ones hold what has come.
DEATH = {"die_at_token": {"n": 3, "code": 1}}
GOES_ON: dict[str, Any] = {"by_text": {"continue_final_message": {}}}


async def crash(room: Room, sampling: Sampling | None = None, **faults: Any) -> Turn:
    """Have a turn whose llama-server dies after three tokens, and is started again."""
    room.set_faults(**DEATH, **faults)
    request = ChatRequest(message="hello", sampling=sampling or Sampling(), owner=LOCAL_OWNER)
    turn = await room.in_flight.take_turn(request)
    await until(lambda: turn.is_over, "the turn is over")
    return turn


def chats(room: Room) -> list[dict[str, Any]]:
    requests = received_requests(room.fake_folder)
    return [request["body"] for request in requests if request["path"] == CHAT]


async def test_a_reply_goes_on_where_a_crash_broke_it_off(room: Room) -> None:
    turn = await crash(room, **GOES_ON)
    reply = await turn.deliver()
    assert (reply.status, reply.reply, reply.finish_reason) == (
        TurnStatus.COMPLETE,
        SENTENCE,
        "stop",
    )
    assert any("crash" in note and "goes on where it broke off" in note for note in reply.notes)
    assert len(recorded_launches(room.fake_folder)) == 2
    first, rest = chats(room)
    assert rest["messages"] == [*first["messages"], {"role": "assistant", "content": PART}]


async def test_the_figures_of_a_reply_that_went_on_are_those_of_both_calls(room: Room) -> None:
    turn = await crash(room, Sampling(max_tokens=9), **GOES_ON)
    reply = await turn.deliver()
    first, rest = chats(room)
    assert (first["max_tokens"], rest["max_tokens"]) == (9, 6)
    assert (reply.usage.completion_tokens, reply.finish_reason) == (9, "length")
    latest = turn.reply.latest_usage()
    assert latest.prompt_tokens is not None and turn.reply.earlier is not None
    before = turn.reply.earlier.latest_usage()
    assert (before.prompt_tokens, before.completion_tokens) == (latest.prompt_tokens - 3, 3)
    assert reply.usage.prompt_tokens == 2 * latest.prompt_tokens - 3
    assert reply.context.tokens_used == latest.prompt_tokens + 6


@pytest.mark.parametrize(
    "faults",
    [
        {"no_continuation": True},
        {"closes_continuation": True},
        {"reasoning": ["hm", "so"]},
        {"reply_tokens": ["<t", "h", "i", "nk>"]},
    ],
    ids=["an older build", "a template that ends it", "thoughts", "text held back"],
)
async def test_a_partial_reply_stays_where_the_rest_would_not_fit(
    room: Room, faults: dict[str, Any]
) -> None:
    turn = await crash(room, by_text={"continue_final_message": faults}, **faults)
    assert turn.error is not None and "has crashed" in turn.error.situation
    assert turn.reply.text in (PART, "The", "<thi")
    assert not any(request.get("continue_final_message") for request in chats(room))


async def test_a_crash_for_want_of_memory_is_not_tried_again(room: Room) -> None:
    turn = await crash(room, chat_log_lines=["cudaMalloc failed: out of memory"], **GOES_ON)
    assert turn.error is not None and "memory" in turn.error.situation
    assert len(recorded_launches(room.fake_folder)) == 1


async def test_a_second_crash_ends_the_reply_with_all_that_has_come(room: Room) -> None:
    again: dict[str, Any] = {"by_text": {"continue_final_message": {"die_at_token": {"n": 2}}}}
    turn = await crash(room, **again)
    assert turn.error is not None and "has crashed" in turn.error.situation
    assert turn.reply.text == "The quick brown fox jumps"
    assert len(recorded_launches(room.fake_folder)) == 2


async def test_without_auto_restart_the_partial_reply_stays(open_room: Any) -> None:
    async with open_room(auto_restart=False) as room:
        await room.start_llama_server()
        turn = await crash(room, **GOES_ON)
        assert turn.error is not None and turn.reply.text == PART
        assert len(recorded_launches(room.fake_folder)) == 1


async def test_a_cancel_while_llama_server_is_started_again_ends_the_turn(room: Room) -> None:
    room.set_faults(**DEATH, load_held=True)
    turn = await room.begin("hello")
    await until(lambda: len(recorded_launches(room.fake_folder)) == 2, "it is started again")
    given = await room.in_flight.cancel(turn.session_id, owner=LOCAL_OWNER)
    assert (given.status, given.reply) == (TurnStatus.CANCELLED, PART)
    room.set_faults()


async def test_data_goes_on_and_keeps_to_its_schema(room: Room) -> None:
    schema = Sampling(json_schema={"type": "object", "required": ["a", "b"]})
    tokens = ['{"a"', ": 1,", ' "b"', ": 2", "}"]
    turn = await crash(
        room,
        schema,
        reply_tokens=tokens,
        by_text={"continue_final_message": {"reply_tokens": tokens}},
    )
    reply = await turn.deliver()
    assert (reply.status, reply.parsed) == (TurnStatus.COMPLETE, {"a": 1, "b": 2})
