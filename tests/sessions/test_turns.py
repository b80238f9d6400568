"""A turn, from the message to how it ended."""

from pathlib import Path

import anyio
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.errors import InvalidArgumentError
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.errors import (
    ArchiveError,
    SessionBusyError,
    SessionNotFoundError,
    SessionUnderwayError,
)
from llama_mcp.sessions.records import Message, Receipt, Timing, TurnEnding, TurnStatus, Usage
from llama_mcp.sessions.session_ids import mint_session_id
from llama_mcp.sessions.texts import clean_text
from tests.sessions.talk import have_session, say

ANY_TEXT = st.text(st.characters(categories=None), max_size=200)


async def test_a_message_is_there_for_everybody_before_there_is_a_reply(
    archive: Archive, other: Archive
) -> None:
    begun = await archive.begin_turn(
        None,
        "What is the capital of France?",
        model="tiny.gguf",
        sampling={"temperature": 0.2},
        owner=LOCAL_OWNER,
    )

    turn = await other.last_turn(begun.session.session_id, owner=LOCAL_OWNER)

    assert (turn.turn, turn.message, turn.reply) == (1, "What is the capital of France?", "")
    assert turn.status is TurnStatus.IN_PROGRESS
    assert (turn.model, turn.sampling) == ("tiny.gguf", {"temperature": 0.2})
    assert turn.ended_at_utc is None
    assert begun.session.title == "What is the capital of France?"
    assert begun.earlier == ()


async def test_what_was_received_so_far_is_there_for_everybody(
    archive: Archive, other: Archive
) -> None:
    begun = await archive.begin_turn(None, "hello", owner=LOCAL_OWNER)
    session_id = begun.session.session_id

    await archive.save_partial(session_id, 1, "The capital", "Let me think")
    await archive.save_partial(session_id, 1, "The capital is", "Let me think.")

    turn = await other.last_turn(session_id, owner=LOCAL_OWNER)
    assert (turn.reply, turn.reasoning) == ("The capital is", "Let me think.")
    assert turn.status is TurnStatus.IN_PROGRESS


@pytest.mark.parametrize(
    "status",
    [TurnStatus.COMPLETE, TurnStatus.CANCELLED, TurnStatus.FAILED, TurnStatus.INTERRUPTED],
)
async def test_how_a_turn_ended_is_kept_to_the_last_figure(
    archive: Archive, status: TurnStatus
) -> None:
    begun = await archive.begin_turn(
        None, "hello", model="asked", sampling={"seed": 1}, owner=LOCAL_OWNER
    )
    session_id = begun.session.session_id
    await archive.save_partial(session_id, 1, "Pa", "")
    usage = Usage(prompt_tokens=21, cached_tokens=4, completion_tokens=3)
    ending = TurnEnding(
        status=status,
        reply="Paris.",
        reasoning="France, so Paris",
        model="answered",
        finish_reason="stop",
        usage=usage,
        timing=Timing(
            first_token_ms=12.5,
            total_ms=40.25,
            prompt_tokens_per_second=1800.0,
            tokens_per_second=96.5,
        ),
        receipt=Receipt.of(
            usage, queue_ms=0.5, prompt_ms=9.25, generation_ms=30.0, cache_miss="history cut"
        ),
        context_tokens=24,
        notes=("two turns were left out", "slow"),
        error="llama-server died",
    )

    await archive.end_turn(session_id, 1, ending)

    turn = await archive.last_turn(session_id, owner=LOCAL_OWNER)
    kept = TurnEnding.model_validate(turn.model_dump())
    assert kept == ending
    assert turn.ended_at_utc is not None and turn.ended_at_utc >= turn.started_at_utc
    assert not turn.imported


async def test_the_model_a_turn_was_begun_with_stays_when_the_ending_names_none(
    archive: Archive,
) -> None:
    begun = await archive.begin_turn(None, "hello", model="asked", owner=LOCAL_OWNER)
    await archive.end_turn(begun.session.session_id, 1, TurnEnding(status=TurnStatus.FAILED))
    assert (await archive.last_turn(begun.session.session_id, owner=LOCAL_OWNER)).model == "asked"


async def test_a_turn_is_begun_with_the_turns_before_it(archive: Archive) -> None:
    session_id = await have_session(archive, turns=3)

    begun = await archive.begin_turn(session_id, "message 4", owner=LOCAL_OWNER)

    assert begun.turn == 4
    assert [(t.message, t.reply) for t in begun.earlier] == [
        (f"message {number}", f"reply {number}") for number in (1, 2, 3)
    ]
    assert begun.session.turns == 4


async def test_turns_before_the_cut_are_left_out_of_the_prompt_but_not_of_the_archive(
    archive: Archive,
) -> None:
    session_id = await have_session(archive, turns=5)
    await archive.set_cut(session_id, 4)
    await archive.set_cut(session_id, 2)

    begun = await archive.begin_turn(session_id, "message 6", owner=LOCAL_OWNER)

    assert begun.first_turn_in_prompt == 4
    assert [turn.turn for turn in begun.earlier] == [4, 5]
    assert (await archive.turns(session_id, owner=LOCAL_OWNER)).total == 6


async def test_a_second_message_is_refused_while_a_reply_is_generated(
    archive: Archive, other: Archive
) -> None:
    session_id = (await archive.begin_turn(None, "hello", owner=LOCAL_OWNER)).session.session_id
    for each in (archive, other):
        with pytest.raises(SessionBusyError):
            await each.begin_turn(session_id, "hello?", owner=LOCAL_OWNER)
    assert (await archive.session(session_id, owner=LOCAL_OWNER)).turns == 1


async def test_a_session_is_idle_when_a_turn_can_begin_in_it(
    archive: Archive, other: Archive
) -> None:
    with pytest.raises(SessionNotFoundError):
        await archive.check_idle(mint_session_id(), owner=LOCAL_OWNER)
    session_id = (await archive.begin_turn(None, "hello", owner=LOCAL_OWNER)).session.session_id
    with pytest.raises(SessionBusyError):
        await other.check_idle(session_id, owner=LOCAL_OWNER)
    await archive.end_turn(session_id, 1, TurnEnding(status=TurnStatus.COMPLETE, reply="hi"))
    await other.check_idle(session_id, owner=LOCAL_OWNER)


async def test_a_turn_of_an_archive_that_was_closed_is_interrupted(
    archive: Archive, other: Archive
) -> None:
    session_id = (await archive.begin_turn(None, "hello", owner=LOCAL_OWNER)).session.session_id
    await archive.save_partial(session_id, 1, "well", "")
    await archive.close()

    turn = await other.last_turn(session_id, owner=LOCAL_OWNER)

    assert (turn.status, turn.reply) == (TurnStatus.INTERRUPTED, "well")


@pytest.mark.posix
async def test_a_writer_that_was_taken_for_dead_still_keeps_its_whole_reply(
    archive: Archive, other: Archive, path: Path
) -> None:
    session_id = (await archive.begin_turn(None, "hello", owner=LOCAL_OWNER)).session.session_id
    for lock in list((path.parent / "writers").iterdir()):
        lock.unlink()
    assert (await other.last_turn(session_id, owner=LOCAL_OWNER)).status is TurnStatus.INTERRUPTED

    await archive.save_partial(session_id, 1, "wonderful par", "")
    assert (await other.last_turn(session_id, owner=LOCAL_OWNER)).reply == "wonderful par"
    await archive.end_turn(
        session_id, 1, TurnEnding(status=TurnStatus.COMPLETE, reply="sunny whole")
    )

    turn = await other.last_turn(session_id, owner=LOCAL_OWNER)
    assert (turn.status, turn.reply) == (TurnStatus.COMPLETE, "sunny whole")
    assert turn.error is None
    assert (await other.list_sessions("sunny", owner=LOCAL_OWNER)).total == 1
    assert (await other.list_sessions("wonderful", owner=LOCAL_OWNER)).total == 0


async def test_an_ending_is_written_although_its_caller_is_cancelled(archive: Archive) -> None:
    session_id = (await archive.begin_turn(None, "hello", owner=LOCAL_OWNER)).session.session_id

    with anyio.CancelScope() as scope:
        scope.cancel()
        await archive.end_turn(
            session_id, 1, TurnEnding(status=TurnStatus.CANCELLED, reply="so far")
        )

    assert (await archive.last_turn(session_id, owner=LOCAL_OWNER)).reply == "so far"


@pytest.mark.parametrize("session_id", ["qjnm-c996-p74d", "../sessions.db", "*", ""])
async def test_a_turn_in_a_session_that_is_not_there_is_refused(
    archive: Archive, session_id: str
) -> None:
    with pytest.raises(SessionNotFoundError):
        await archive.begin_turn(session_id, "hello", owner=LOCAL_OWNER)
    assert (await archive.list_sessions(owner=LOCAL_OWNER)).total == 0


async def test_a_turn_that_is_not_there_cannot_be_written_or_read(archive: Archive) -> None:
    session_id = await have_session(archive, turns=1)
    for missing in (session_id, mint_session_id()):
        with pytest.raises(ArchiveError, match="no turn 2"):
            await archive.save_partial(missing, 2, "a", "")
        with pytest.raises(ArchiveError, match="no turn 2"):
            await archive.end_turn(missing, 2, TurnEnding(status=TurnStatus.COMPLETE))


# -- histories


async def test_a_history_becomes_turns_before_the_first_message(archive: Archive) -> None:
    history = [
        Message(role="system", content="Be brief."),
        Message(role="user", content="Who are you?"),
        Message(role="assistant", content="A model."),
    ]

    begun = await archive.begin_turn(None, "Which?", history=history, owner=LOCAL_OWNER)

    imported, _ = (await archive.turns(begun.session.session_id, owner=LOCAL_OWNER)).turns
    assert begun.earlier == ((1, "Who are you?", "A model."),)
    assert (imported.status, imported.imported) == (TurnStatus.COMPLETE, True)
    assert begun.turn == 2
    assert begun.session.system_prompt == "Be brief."
    assert begun.session.title == "Who are you?"
    assert (await archive.list_sessions("brief", owner=LOCAL_OWNER)).total == 0
    assert (await archive.list_sessions("who model", owner=LOCAL_OWNER)).total == 1


async def test_a_history_that_is_refused_leaves_no_session(archive: Archive) -> None:
    with pytest.raises(InvalidArgumentError):
        await archive.begin_turn(
            None, "hello", history=[Message(role="user", content="beep")], owner=LOCAL_OWNER
        )
    assert (await archive.list_sessions(owner=LOCAL_OWNER)).total == 0


async def test_what_belongs_to_the_first_turn_is_refused_on_a_later_one(archive: Archive) -> None:
    session_id = await have_session(archive, turns=1)
    with pytest.raises(SessionUnderwayError, match="system_prompt"):
        await archive.begin_turn(session_id, "hello", system_prompt="Be brief.", owner=LOCAL_OWNER)
    with pytest.raises(SessionUnderwayError, match="history"):
        history = [Message(role="user", content="a"), Message(role="assistant", content="b")]
        await archive.begin_turn(session_id, "hello", history=history, owner=LOCAL_OWNER)
    assert (await archive.session(session_id, owner=LOCAL_OWNER)).turns == 1


# -- any text of any size


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(message=ANY_TEXT, reply=ANY_TEXT, reasoning=ANY_TEXT)
@example(message="a\x00b", reply="\x00", reasoning="\ud800 \ud83d\ude00 \x00 end")
@example(message="", reply="\ufeff", reasoning="\U0010ffff\ufffe")
def test_any_text_comes_back_valid_and_whole(
    path: Path, message: str, reply: str, reasoning: str
) -> None:
    async def round_trip() -> None:
        archive = Archive(path)
        begun = await archive.begin_turn(
            None, message, system_prompt=message, sampling={"stop": [message]}, owner=LOCAL_OWNER
        )
        session_id = begun.session.session_id
        await archive.save_partial(session_id, 1, reply, reasoning)
        partial = await archive.last_turn(session_id, owner=LOCAL_OWNER)
        ending = TurnEnding(
            status=TurnStatus.FAILED,
            reply=reply,
            reasoning=reasoning,
            model=message,
            notes=(reply,),
            error=reasoning,
        )
        await archive.end_turn(session_id, 1, ending)
        copy = await archive.fork_session(session_id, owner=LOCAL_OWNER)
        whole = await archive.last_turn(copy.session_id, owner=LOCAL_OWNER)
        await archive.delete_session(session_id, owner=LOCAL_OWNER)
        assert (
            await archive.update_session(copy.session_id, system_prompt=reply, owner=LOCAL_OWNER)
        ).title
        await archive.close()

        expected = [clean_text(text) for text in (message, reply, reasoning)]
        for turn in (partial, whole):
            assert [turn.message, turn.reply, turn.reasoning or ""] == expected
        assert whole.sampling == {"stop": [expected[0]]}
        assert [whole.model, whole.notes, whole.error] == [expected[0], (expected[1],), expected[2]]
        assert (copy.system_prompt or "") == expected[0]

    anyio.run(round_trip)


async def test_a_message_and_a_reply_of_a_megabyte_are_kept_whole(archive: Archive) -> None:
    message = "".join(chr(0x4E00 + number % 20_000) for number in range(1_000_000))
    reply = "word\x00 " * 200_000
    begun = await archive.begin_turn(None, message, owner=LOCAL_OWNER)
    session_id = begun.session.session_id
    for part in range(0, 1_200_000, 200_000):
        await archive.save_partial(session_id, 1, reply[:part], "")
    await archive.end_turn(session_id, 1, TurnEnding(status=TurnStatus.COMPLETE, reply=reply))

    turn = await archive.last_turn(session_id, owner=LOCAL_OWNER)

    assert turn.message == message
    assert turn.reply == reply
    (session,) = (await archive.list_sessions("word", owner=LOCAL_OWNER)).sessions
    assert len(session.match or "") < 300


async def test_long_turns_are_read_in_pages_that_memory_holds_and_one_is_always_read(
    archive: Archive,
) -> None:
    session_id = await say(archive, "short", "a")
    for reply in ("\x00" * 1_500_000, "b" * 500_000, "c" * 500_000, "d" * 5_000_000):
        await say(archive, "long", reply, session_id)
    await archive.begin_turn(session_id, "underway", owner=LOCAL_OWNER)
    await archive.save_partial(session_id, 6, "e" * 3_000_000, "")

    pages: list[list[int]] = []
    following: int | None = 0
    while following is not None:
        page = await archive.turns(session_id, following, limit=50, owner=LOCAL_OWNER)
        pages.append([turn.turn for turn in page.turns])
        following = page.next_offset

    assert pages == [[1, 2, 3], [4], [5], [6]]
