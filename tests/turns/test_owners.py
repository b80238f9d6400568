"""Several owners talk to one llama-server, and none sees, joins or stops another's turn."""

from dataclasses import replace

import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.errors import SessionNotFoundError
from llama_mcp.turns.calls import RETRY_SECONDS, digest_of
from llama_mcp.turns.chat_request import ChatRequest
from llama_mcp.turns.jobs.job_request import JobRequest
from tests.support.processes import until
from tests.turns.conftest import Room

OF_ALICE = ChatRequest(message="hello", owner="alice")


async def test_anothers_reply_can_neither_be_waited_for_nor_stopped_nor_gone_on_with(
    room: Room,
) -> None:
    turn = await room.begin_hanging("a secret")
    session_id, in_flight = turn.session_id, room.in_flight
    for asked in (session_id, session_id[:9]):
        with pytest.raises(SessionNotFoundError):
            await in_flight.cancel(asked, owner="alice")
        with pytest.raises(SessionNotFoundError):
            await in_flight.archived_reply(asked, 0, owner="alice")
        with pytest.raises(SessionNotFoundError):
            await in_flight.take_turn(replace(OF_ALICE, session_id=asked))
    assert await in_flight.latest(session_id, owner="alice") is None
    assert not turn.is_over
    assert await in_flight.latest(session_id, owner=LOCAL_OWNER) is turn
    await in_flight.cancel(session_id, owner=LOCAL_OWNER)


async def test_the_same_words_of_two_owners_are_two_calls(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llama_mcp.turns.calls.RETRY_SECONDS", 0.0)
    first = await room.in_flight.ask(OF_ALICE)
    second = await room.in_flight.ask(replace(OF_ALICE, owner="bob"))
    assert RETRY_SECONDS and first.session_id != second.session_id
    assert not second.is_joined
    for call in (first, second):
        turn = call.turn
        assert turn is not None
        await until(lambda turn=turn: turn.is_over, "the turn is over")  # type: ignore[misc]  # no type for a default
    assert digest_of(OF_ALICE) != digest_of(replace(OF_ALICE, owner="bob"))
    job = JobRequest(instruction="sum up", files=["a"], owner="alice")
    assert job.digest() != replace(job, owner="bob").digest()


async def test_who_is_told_that_llama_server_is_in_use_is_not_told_for_which_session_of_others(
    room: Room,
) -> None:
    turn = await room.begin_hanging("a secret title")
    services = room.services
    (use,) = await services._turns_underway()
    assert f"session {turn.session_id} (a secret title) generates a reply" in str(use)
    services._asked_by = lambda: "alice"
    (use,) = await services._turns_underway()
    assert str(use).startswith("a session generates a reply in this llama-mcp")
    slots = await services.observer.slots(owner="alice")
    assert (slots.generating, slots.waiting, slots.turns_of_others) == ([], [], 1)
    own = await services.observer.slots(owner=LOCAL_OWNER)
    assert [each.session_id for each in own.generating] == [turn.session_id]
    assert own.turns_of_others is None
    await room.in_flight.cancel(turn.session_id, owner=LOCAL_OWNER)


async def test_what_turns_saw_is_told_of_ones_own_or_of_all(room: Room) -> None:
    await room.complete("hello")
    observer = room.services.observer
    assert (await observer.metrics(owner="alice")).own_turns == []
    (of_all,) = (await observer.metrics(owner=None)).own_turns
    assert of_all.turns == 1
