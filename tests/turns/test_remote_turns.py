"""Turns with an engine that somebody else runs: archived, fitted, cut and told as any."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.records import TurnStatus
from llama_mcp.turns.chat_request import ChatRequest, Sampling
from tests.fake_openai_server.engine import SENTENCE, THOUGHT, FakeEngine
from tests.support.processes import until
from tests.turns.remote_rooms import RemoteRoom, remote_room

WORDS = "Some words of a message that has no end. "
OpenRoom = Callable[..., AbstractAsyncContextManager[RemoteRoom]]


@pytest.fixture
def open_remote_room(tmp_path: Path) -> OpenRoom:
    return partial(remote_room, tmp_path)


async def test_a_turn_is_archived_with_figures_of_our_own(open_remote_room: OpenRoom) -> None:
    async with open_remote_room(FakeEngine(thinks_as="reasoning")) as room:
        reply = await room.complete("Hello")
    assert (reply.status, reply.reply, reply.reasoning) == (TurnStatus.COMPLETE, SENTENCE, THOUGHT)
    assert reply.usage.prompt_tokens == 6 and reply.usage.completion_tokens == 9
    assert reply.usage.cached_tokens is None and reply.receipt.cache_miss is None
    assert reply.receipt.prompt_ms is None and reply.receipt.generation_ms is not None
    assert reply.timing.tokens_per_second is not None
    assert not reply.notes


async def test_a_model_that_is_known_once_it_has_loaded_is_archived_by_its_name(
    open_remote_room: OpenRoom,
) -> None:
    async with open_remote_room(FakeEngine(loads=2)) as room:
        reply = await room.complete("Hello")
        turn = await room.services.archive.last_turn(reply.session_id, owner=LOCAL_OWNER)
        assert (turn.model, turn.reply) == ("some-model", SENTENCE)
        again = await room.complete("And again", reply.session_id)
    assert again.receipt.cache_miss is None


async def test_a_history_over_the_window_is_cut_and_its_guesses_are_told(
    open_remote_room: OpenRoom,
) -> None:
    async with open_remote_room(FakeEngine("ollama", window=4096), ctx_size=1000) as room:
        reply = await room.complete(WORDS * 20)
        for _ in range(5):
            reply = await room.complete(WORDS * 20, reply.session_id)
        left_out, *guesses = reply.notes
        assert "left out of the prompt" in left_out
        assert guesses == [
            "The window of 1000 is the operator's setting: the engine tells none. Its tokens are "
            "estimated, not counted."
        ]


async def test_a_prompt_that_is_refused_is_cut_and_sent_once_more(
    open_remote_room: OpenRoom,
) -> None:
    fake = FakeEngine("plain", window=100_000)
    async with open_remote_room(fake, ctx_size=50_000) as room:
        reply = await room.complete(WORDS * 40)
        for _ in range(3):
            reply = await room.complete(WORDS * 40, reply.session_id)
        # The operator's setting is wrong: the engine takes less, and says so only in a refusal.
        fake.behaves_as, fake.window = "vllm", 1200
        before = len(fake.chats())
        reply = await room.complete(WORDS * 40, reply.session_id)
        assert reply.status is TurnStatus.COMPLETE and reply.context.limit == 1200
        assert len(fake.chats()) == before + 2
        cut, *_, told = reply.notes
        assert "left out of the prompt" in cut and "maximum context length is 1200" in told
        # What was learned counts from then on.
        reply = await room.complete(WORDS * 5, reply.session_id)
        assert len(fake.chats()) == before + 3


async def test_max_tokens_that_do_not_fit_are_capped_once_the_window_is_known(
    open_remote_room: OpenRoom,
) -> None:
    fake = FakeEngine("plain", window=100_000)
    async with open_remote_room(fake, ctx_size=50_000) as room:
        first = await room.complete("Hello")
        fake.behaves_as, fake.window = "vllm", 300
        sampling = Sampling(max_tokens=2000)
        reply = await room.complete("Hello again", first.session_id, sampling=sampling)
        assert fake.chats()[-1].body["max_tokens"] < 300
        assert any("max_tokens=2000 was capped" in note for note in reply.notes)


async def test_a_message_that_never_fits_says_who_can_enlarge_the_window(
    open_remote_room: OpenRoom,
) -> None:
    async with open_remote_room(FakeEngine("vllm", window=500)) as room:
        turn = await room.in_flight.take_turn(ChatRequest(message=WORDS * 200, owner=LOCAL_OWNER))
        await until(lambda: turn.is_over, "the turn is over")
        text = str(turn.error)
    assert "at most 438 of the window's 500 are free" in text
    assert "Only whoever runs the engine can enlarge it." in text and "start" not in text


async def test_no_more_turns_are_sent_at_once_than_the_engine_is_to_have(
    open_remote_room: OpenRoom,
) -> None:
    fake = FakeEngine(hangs_after=2)
    async with open_remote_room(fake, parallel=2) as room:
        turns = [
            await room.in_flight.take_turn(ChatRequest(message=f"No {n}", owner=LOCAL_OWNER))
            for n in range(3)
        ]
        await until(lambda: len(fake.chats()) == 2, "two are asked")
        await until(lambda: turns[2].reply.queue_place is not None, "the third waits")
        for turn in reversed(turns):  # the one that waits first, or it would be asked
            await turn.cancel()
        await until(lambda: all(turn.is_over for turn in turns), "all are cancelled")
    assert fake.left == 2 and len(fake.chats()) == 2


async def test_each_session_has_a_key_of_its_own(open_remote_room: OpenRoom) -> None:
    async with open_remote_room(FakeEngine()) as room:
        first = await room.complete("Hello")
        await room.complete("Again", first.session_id)
        await room.complete("Somebody else")
        keys = [one.headers["x-session-id"] for one in room.fake.chats()]
    assert keys[0] == keys[1] != keys[2]
    assert first.session_id not in str([one.headers for one in room.fake.chats()])
