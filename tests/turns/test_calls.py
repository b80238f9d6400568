"""The same call made again: joined when it was cut off, a turn of its own when it was not."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import anyio
import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.attachments import AttachedFile, Attachment, SaveTo
from llama_mcp.sessions.records import Message, TurnStatus
from llama_mcp.turns import calls
from llama_mcp.turns.calls import JOINED, Call, digest_of
from llama_mcp.turns.chat_request import ChatRequest, Sampling
from llama_mcp.turns.going_on.reopening import reopen
from llama_mcp.turns.turn import Turn
from tests.fake_llama_server.install import received_requests
from tests.support.processes import until
from tests.turns.conftest import HANGING, PART, SENTENCE, Room

REQUEST = ChatRequest(message="hello", owner=LOCAL_OWNER)

needs_posix = pytest.mark.posix  # not tried with the batch file that is the stand-in on Windows


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same call counts as made again, however soon it comes."""
    monkeypatch.setattr(calls, "RETRY_SECONDS", 0.0)
    yield


async def ask(room: Room, request: ChatRequest = REQUEST) -> tuple[Call, Turn]:
    """Make a call whose reply stops in the middle."""
    room.set_faults(**HANGING)
    call = await room.in_flight.ask(request)
    turn = call.turn
    assert turn is not None
    await until(lambda: turn.reply.text == PART, "the first part of the reply is there")
    return call, turn


@needs_posix
async def test_a_call_that_was_cut_off_is_joined_by_the_same_call_and_its_caller_is_told(
    room: Room, at_once: None
) -> None:
    cut_off, turn = await ask(room)
    again, joined = await ask(room)
    assert joined is turn and again.is_joined and not cut_off.is_joined
    assert (again.session_id, room.prompts()) == (turn.session_id, ["hello"])
    for call, notes in ((cut_off, []), (again, [JOINED])):
        reply = await room.in_flight.answered(call, await turn.deliver())
        assert (reply.reply, reply.notes) == (PART, notes)


@needs_posix
async def test_calls_that_are_made_side_by_side_have_turns_of_their_own(room: Room) -> None:
    turns = [(await ask(room))[1] for _ in range(3)]
    assert len({turn.session_id for turn in turns}) == 3


@needs_posix
async def test_of_several_same_calls_under_way_none_is_joined(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = {(await ask(room))[0].session_id for _ in range(2)}
    monkeypatch.setattr(calls, "RETRY_SECONDS", 0.0)
    assert not (await ask(room))[0].is_joined and len(sessions) == 2


@needs_posix
@pytest.mark.parametrize("is_over", [True, False], ids=["complete", "in progress"])
async def test_what_is_asked_again_after_an_answer_is_asked_on_purpose(
    room: Room, at_once: None, is_over: bool
) -> None:
    if is_over:
        call = await room.in_flight.ask(REQUEST)
        assert call.turn is not None
        await call.turn.following.wait_until_over()
        call = await room.in_flight.ask(REQUEST)  # one that is over is not joined
        assert call.turn is not None and not call.is_joined
        turn = call.turn
        await turn.following.wait_until_over()
    else:
        call, turn = await ask(room)
    await room.in_flight.answered(call, await turn.deliver())
    again = await room.in_flight.ask(REQUEST)
    assert not again.is_joined and again.session_id != call.session_id


@needs_posix
async def test_an_answer_to_a_caller_that_was_cut_off_is_none_to_the_one_that_has_joined(
    room: Room, at_once: None
) -> None:
    cut_off, turn = await ask(room)
    await ask(room)
    # What goes to a caller that is gone does not keep the next one from joining.
    await room.in_flight.answered(cut_off, await turn.deliver())
    third, joined = await ask(room)
    assert third.is_joined and joined is turn
    await room.in_flight.answered(third, await turn.deliver())
    assert not (await ask(room))[0].is_joined


@needs_posix
async def test_the_caller_that_has_joined_alone_can_take_the_reply_back(
    room: Room, at_once: None
) -> None:
    cut_off, turn = await ask(room)
    again, _ = await ask(room)
    await room.in_flight.withdraw(cut_off)
    assert not turn.is_over
    await room.in_flight.withdraw(again)
    assert turn.snapshot().status is TurnStatus.CANCELLED


@needs_posix
async def test_a_call_that_waits_for_its_model_is_joined_too(
    idle_room: Room, at_once: None
) -> None:
    idle_room.set_faults(load_held=True)
    cut_off = await idle_room.in_flight.ask(REQUEST)
    turn = (await idle_room.in_flight.ask(REQUEST)).turn
    assert turn is not None and turn is cut_off.turn
    idle_room.set_faults()
    await until(lambda: turn.is_over, "the turn is over")
    assert (await turn.deliver()).reply == SENTENCE


@needs_posix
async def test_the_same_call_goes_on_in_its_session_although_that_is_busy(
    room: Room, at_once: None
) -> None:
    first = await room.complete("hello")
    request = replace(REQUEST, message="and?", session_id=first.session_id)
    _, turn = await ask(room, request)
    again, joined = await ask(room, request)
    assert joined is turn and (again.session_id, turn.number) == (first.session_id, 2)


def test_calls_are_the_same_when_all_that_is_asked_is_the_same() -> None:
    whole = ChatRequest(
        message="hello",
        system_prompt="Be brief.",
        history=[Message(role="user", content="a"), Message(role="assistant", content="b")],
        sampling=Sampling(temperature=0.5, stop=("x",), json_schema={"type": "object", "a": 1}),
        owner=LOCAL_OWNER,
    )
    changes: list[dict[str, Any]] = [
        {"message": "hello "},
        {"session_id": "2222-2222-2222"},
        {"system_prompt": None},
        {"history": whole.history[:1]},
        {"overflow": "error"},
        {"sampling": whole.sampling.model_copy(update={"seed": 1})},
        {"sampling": whole.sampling.model_copy(update={"json_schema": {"type": "string"}})},
    ]
    digests = {digest_of(replace(whole, **change)) for change in changes}
    assert len(digests) == len(changes) and digest_of(whole) not in digests
    order = whole.sampling.model_copy(update={"json_schema": {"a": 1, "type": "object"}})
    assert digest_of(replace(whole, sampling=order)) == digest_of(whole)
    assert digest_of(replace(whole, message="\ud83d"))  # half of a pair


@needs_posix
async def test_a_call_that_its_client_cancelled_goes_on_with_its_turn_when_it_is_made_again(
    room: Room,
) -> None:
    call, turn = await ask(room)
    await room.in_flight.withdraw(call)
    assert turn.snapshot().status is TurnStatus.CANCELLED
    cut_off = turn.snapshot().usage
    room.set_faults()
    again = await room.in_flight.ask(REQUEST)
    assert again.is_joined and again.turn is not None
    await again.turn.following.wait_until_over()
    reply = await room.in_flight.answered(again, await again.turn.deliver())
    assert (reply.session_id, reply.turn, reply.reply) == (turn.session_id, 1, SENTENCE)
    assert reply.notes[0] == JOINED and "after 15 characters" in reply.notes[1]
    assert room.prompts() == ["hello", PART]  # the second ends with what has come
    rest = again.turn.reply.latest_usage()
    for whole, part, more in zip(reply.usage, cut_off, rest, strict=True):
        assert None not in (part[1], more[1]) and whole[1] == part[1] + more[1], whole[0]
    (found,) = (await room.services.archive.list_sessions("jumps", owner=LOCAL_OWNER)).sessions
    assert found.session_id == turn.session_id and found.turns == 1
    assert not (await room.in_flight.ask(REQUEST)).is_joined


@needs_posix
async def test_a_call_cancelled_before_anything_came_is_begun_in_its_turn_once_more(
    room: Room,
) -> None:
    room.set_faults(hang_at_token=0)
    call = await room.in_flight.ask(REQUEST)
    await until(lambda: room.prompts() == ["hello"], "it is sent")
    await room.in_flight.withdraw(call)
    room.set_faults()
    again = await room.in_flight.ask(REQUEST)
    assert again.is_joined and again.turn is not None
    await again.turn.following.wait_until_over()
    reply = await again.turn.deliver()
    assert (reply.session_id, reply.turn, reply.reply) == (call.session_id, 1, SENTENCE)


@needs_posix
@pytest.mark.parametrize("what", ["a build that cannot", "gone on since", "stopped on purpose"])
async def test_a_cancelled_turn_stays_as_it_is_where_it_cannot_or_should_not_go_on(
    room: Room, what: str
) -> None:
    call, turn = await ask(room)
    if what == "stopped on purpose":
        await room.in_flight.answered(
            call, await room.in_flight.cancel(turn.session_id, owner=LOCAL_OWNER)
        )
    await room.in_flight.withdraw(call)
    room.set_faults(no_continuation=what == "a build that cannot")
    if what == "gone on since":
        await room.complete("and?", turn.session_id)
    again = await room.in_flight.ask(REQUEST)
    assert not again.is_joined and again.session_id != turn.session_id
    kept = (await room.services.archive.turns(turn.session_id, owner=LOCAL_OWNER)).turns[0]
    assert (kept.reply, kept.status) == (PART, TurnStatus.CANCELLED)


@needs_posix
async def test_a_call_that_is_made_again_while_it_is_being_cancelled_is_not_cancelled_with_it(
    room: Room,
) -> None:
    call, turn = await ask(room)
    again: list[Call] = []

    async def make_again() -> None:
        await until(lambda: turn._is_cancel_asked, "its client cancels it")
        room.set_faults()
        again.append(await room.in_flight.ask(REQUEST))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(make_again)
        await room.in_flight.withdraw(call)
    assert again[0].turn is not None and again[0].is_joined
    await again[0].turn.following.wait_until_over()
    assert (await again[0].turn.deliver()).reply == SENTENCE


@needs_posix
async def test_a_turn_that_went_on_and_is_cancelled_again_has_all_that_came(room: Room) -> None:
    call, _ = await ask(room)
    await room.in_flight.withdraw(call)
    room.set_faults(by_text={"continue_final_message": {"hang_at_token": 2}})
    again = await room.in_flight.ask(REQUEST)
    turn = again.turn
    assert turn is not None
    await until(lambda: turn.reply.text != PART, "more has come")
    await room.in_flight.withdraw(again)
    kept = await room.services.archive.last_turn(turn.session_id, owner=LOCAL_OWNER)
    assert kept.status is TurnStatus.CANCELLED and kept.reply.startswith(PART)
    assert len(kept.reply) > len(PART)


@needs_posix
async def test_who_cancelled_a_turn_hears_of_it_as_it_stands_when_another_process_goes_on(
    room: Room,
) -> None:
    call, turn = await ask(room)
    await room.in_flight.withdraw(call)
    room.set_faults(by_text={"continue_final_message": {"hang_at_token": 2}})
    again = await room.starter.in_flight.ask(REQUEST)
    assert again.is_joined and again.session_id == turn.session_id
    gone_on = again.turn
    assert gone_on is not None
    assert await room.in_flight.latest(turn.session_id, owner=LOCAL_OWNER) is None
    reply = await room.in_flight.archived_reply(turn.session_id, wait_seconds=0, owner=LOCAL_OWNER)
    assert reply.status is TurnStatus.IN_PROGRESS
    stopped = await room.in_flight.cancel(turn.session_id, owner=LOCAL_OWNER)
    assert stopped.status is TurnStatus.CANCELLED and stopped.reply.startswith(PART)
    await until(lambda: gone_on.is_over, "it is over where it was generated, too")


@needs_posix
async def test_a_call_that_is_cancelled_before_its_turn_goes_on_leaves_it_as_it_is(
    room: Room,
) -> None:
    call, turn = await ask(room)
    await room.in_flight.withdraw(call)
    # What a turn that goes on asks first, and never hears of.
    room.set_faults(raw_answers={"/apply-template": {"pieces": ["HTTP/1.1 "], "then": "hang"}})
    before = len(received_requests(room.fake_folder))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(room.in_flight.ask, REQUEST)
        await until(lambda: len(received_requests(room.fake_folder)) > before, "it is asked")
        tasks.cancel_scope.cancel()
    assert room.in_flight.open_turns() == []
    listed = await room.services.archive.list_sessions(owner=LOCAL_OWNER)
    assert [session.session_id for session in listed.sessions] == [turn.session_id]
    kept = await room.services.archive.last_turn(turn.session_id, owner=LOCAL_OWNER)
    assert (kept.reply, kept.status) == (PART, TurnStatus.CANCELLED)


@needs_posix
@pytest.mark.parametrize("what", ["deleted", "gone on"])
async def test_a_turn_whose_session_changes_before_it_goes_on_is_left_alone(
    room: Room, what: str
) -> None:
    call, turn = await ask(room)
    await room.in_flight.withdraw(call)
    archive = room.services.archive
    cut_off = await archive.cut_off_call(digest_of(REQUEST), owner=LOCAL_OWNER)
    assert cut_off is not None
    if what == "deleted":
        await archive.delete_session(turn.session_id, owner=LOCAL_OWNER)
    else:
        await (await room.begin("and?", turn.session_id)).cancel()
    server = await room.services.supervisor.ready_server()
    assert await reopen(archive, cut_off, REQUEST, server) is None


def test_calls_with_other_contents_lines_or_places_are_others() -> None:
    facts = AttachedFile(name="a.md", size_bytes=1, sha256="1")
    others = [facts.model_copy(update=change) for change in ({"sha256": "2"}, {"first_line": 2})]
    requests = [
        REQUEST,
        *(replace(REQUEST, files=(Attachment(file, "x"),)) for file in (facts, *others)),
        replace(REQUEST, save_to=SaveTo(path="/a", folder="/")),
        replace(REQUEST, save_to=SaveTo(path="/a", folder="/", overwrite=True)),
    ]
    assert len({digest_of(request) for request in requests}) == len(requests)
