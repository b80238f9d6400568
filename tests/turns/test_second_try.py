"""A reply that misses its json_schema is asked for once more, and the first one is not lost."""

from typing import Any

import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.records import TurnStatus
from llama_mcp.turns.chat_request import ChatRequest, Sampling
from llama_mcp.turns.turn import Turn
from tests.fake_llama_server.install import received_requests
from tests.fake_llama_server.running import CHAT
from tests.support.processes import until
from tests.turns.conftest import Room

pytestmark = pytest.mark.posix  # not tried with the batch file that is the stand-in on Windows

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 5}}}
MISSED, KEPT = '{"n": 9}', '{"n": 1}'
# Only the prompt of a second try has these words.
AGAIN = "Answer once more"


async def begin(room: Room, **sampling: Any) -> Turn:
    request = ChatRequest(
        message="hello", sampling=Sampling(json_schema=SCHEMA, **sampling), owner=LOCAL_OWNER
    )
    return await room.in_flight.take_turn(request)


async def complete(room: Room, **sampling: Any) -> Turn:
    turn = await begin(room, **sampling)
    await until(lambda: turn.is_over, "the turn is over")
    return turn


def chats(room: Room) -> list[Any]:
    requests = received_requests(room.fake_folder)
    return [request["body"] for request in requests if request["path"] == CHAT]


async def test_the_second_reply_counts_and_the_first_is_kept(room: Room, other: Archive) -> None:
    room.set_faults(reply_tokens=[MISSED], by_text={AGAIN: {"reply_tokens": [KEPT]}})
    turn = await complete(room)
    reply = await turn.deliver()
    assert (reply.status, reply.reply, reply.parsed) == (TurnStatus.COMPLETE, KEPT, {"n": 1})
    (note,) = reply.notes
    assert "9 is greater than the maximum of 5 (at n)" in note and "once more" in note
    first, second = chats(room)
    assert second["response_format"] == first["response_format"]
    assert [message["content"] for message in second["messages"][:2]] == ["hello", MISSED]
    assert "9 is greater than the maximum of 5" in second["messages"][2]["content"]
    archived = await other.last_turn(turn.session_id, owner=LOCAL_OWNER)
    assert (archived.reply, archived.usage) == (KEPT, reply.usage)
    assert MISSED in (archived.reasoning or "")
    # Both are paid for; the window holds the second one only.
    assert reply.usage.completion_tokens == 2
    assert reply.usage.prompt_tokens is not None and reply.context.tokens_used is not None
    assert reply.context.tokens_used < reply.usage.prompt_tokens + 2


async def test_a_second_miss_is_given_with_what_is_wrong_and_not_asked_for_again(
    room: Room,
) -> None:
    room.set_faults(reply_tokens=[MISSED], by_text={AGAIN: {"reply_tokens": ['{"n": 7}']}})
    reply = await (await complete(room)).deliver()
    assert len(chats(room)) == 2
    assert reply.parsed == {"n": 7}
    assert any("does not keep to json_schema: 7 is greater" in note for note in reply.notes)


@pytest.mark.parametrize(
    "second",
    [
        {"status": {"code": 400, "body": {"error": {"message": "no room"}}}},
        {"reply_tokens": []},
        {"error_mid_stream": {"n": 1}},
    ],
    ids=["refused", "empty", "broken off"],
)
async def test_a_second_try_that_fails_leaves_the_first_reply_complete(
    room: Room, second: dict[str, Any]
) -> None:
    room.set_faults(reply_tokens=[MISSED], by_text={AGAIN: second})
    reply = await (await complete(room)).deliver()
    assert (reply.status, reply.reply, reply.parsed) == (TurnStatus.COMPLETE, MISSED, {"n": 9})
    assert any("asked for once more, without success" in note for note in reply.notes)
    assert any("9 is greater than the maximum" in note for note in reply.notes)


async def test_a_cancel_during_the_second_try_leaves_the_first_reply_complete(
    room: Room, other: Archive
) -> None:
    room.set_faults(reply_tokens=[MISSED], by_text={AGAIN: {"hang_at_token": 0}})
    turn = await begin(room)
    await until(lambda: len(chats(room)) == 2, "the second try has begun")
    given = await room.in_flight.cancel(turn.session_id, owner=LOCAL_OWNER)
    assert (given.status, given.reply, given.parsed) == (TurnStatus.COMPLETE, MISSED, {"n": 9})
    archived = await other.last_turn(turn.session_id, owner=LOCAL_OWNER)
    assert (archived.status, archived.reply) == (TurnStatus.COMPLETE, MISSED)


@pytest.mark.parametrize(
    ("faults", "told"),
    [
        ({"reply_tokens": ['{"n": '], "finish_reason": "length"}, "cut off and is no whole JSON"),
        ({"reply_tokens": ["  \n"], "finish_reason": "length"}, "went into white space"),
        ({"reply_tokens": [KEPT, "\n\n"], "finish_reason": "length"}, None),
        ({"reply_tokens": [KEPT]}, None),
    ],
    ids=["cut", "white space", "white space behind data", "kept"],
)
async def test_what_is_whole_or_was_cut_off_is_not_asked_for_again_and_has_one_note_at_most(
    room: Room, faults: dict[str, Any], told: str | None
) -> None:
    room.set_faults(**faults)
    reply = await (await complete(room)).deliver()
    assert len(chats(room)) == 1
    assert len(reply.notes) == (told is not None)
    assert told is None or told in reply.notes[0]


async def test_an_empty_reply_is_asked_for_again_without_an_empty_message(room: Room) -> None:
    room.set_faults(reply_tokens=[], by_text={AGAIN: {"reply_tokens": [KEPT]}})
    reply = await (await complete(room)).deliver()
    assert reply.parsed == {"n": 1}
    (message,) = chats(room)[1]["messages"]
    assert message["content"].startswith("hello\n\n")
