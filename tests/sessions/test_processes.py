"""Several processes on one archive, and processes that are killed."""

import random
from collections import Counter
from pathlib import Path
from subprocess import Popen

import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.errors import SessionBusyError
from llama_mcp.sessions.records import ArchivedTurn, TurnStatus
from tests.sessions.talk import have_session, say, start_writer
from tests.sessions.writer_program import reply_text
from tests.support.quick import often

KILLS = often(15, in_a_soak=50)
TURNS_EACH = often(100, in_a_soak=500)


def read_line(writer: Popen[str]) -> list[str]:
    assert writer.stdout is not None
    return writer.stdout.readline().split()


def kill(writer: Popen[str]) -> list[str]:
    """Kill the writer and return what it had still said."""
    writer.kill()
    rest, _ = writer.communicate()
    return rest.split()


async def all_turns(archive: Archive) -> list[ArchivedTurn]:
    page = await archive.list_sessions(limit=100, owner=LOCAL_OWNER)
    sessions = list(page.sessions)
    turns: list[ArchivedTurn] = []
    for session in sessions:
        transcript = await archive.turns(session.session_id, limit=10_000, owner=LOCAL_OWNER)
        assert [turn.turn for turn in transcript.turns] == list(range(1, transcript.total + 1))
        turns += transcript.turns
    return turns


@pytest.mark.slow
async def test_two_processes_write_hundreds_of_turns_and_none_is_lost_or_doubled(
    archive: Archive, path: Path
) -> None:
    shared = await say(archive, "hello", "hi")
    writers = [start_writer("append", path, shared, name, TURNS_EACH) for name in ("left", "right")]
    assert [writer.communicate()[0] for writer in writers] == ["done\n", "done\n"]

    turns = [turn for turn in await all_turns(archive) if turn.message != "hello"]

    expected = [f"{name} {number}" for name in ("left", "right") for number in range(TURNS_EACH)]
    assert Counter(turn.message for turn in turns) == Counter(expected)
    assert all(turn.reply == f"re: {turn.message}" for turn in turns)
    assert all(turn.status is TurnStatus.COMPLETE for turn in turns)
    assert (await archive.session(shared, owner=LOCAL_OWNER)).turns == TURNS_EACH + 1


@pytest.mark.slow
async def test_kills_lose_no_message_and_no_saved_part_of_a_reply(path: Path) -> None:
    chance = random.Random(50)
    session_id = "-"
    for count in range(1, KILLS + 1):
        writer = start_writer("stream", path, session_id)
        _, session_id, turn = read_line(writer)
        characters = 0
        for _ in range(chance.randrange(40)):
            characters = int(read_line(writer)[1])
        rest = kill(writer)
        characters = int(rest[-1]) if rest and rest[-1].isdigit() else characters

        archive = Archive(path)
        last = await archive.last_turn(session_id, owner=LOCAL_OWNER)
        assert last.turn == count == int(turn)
        assert last.status is TurnStatus.INTERRUPTED
        assert last.message == "a message that must not be lost"
        assert len(last.reply) >= characters
        assert last.reply == reply_text(len(last.reply))
        assert last.reasoning in (None, f"thinking {last.reply}")
        assert last.ended_at_utc is not None
        await archive.close()

    archive = Archive(path)
    assert archive.notice() is None
    await say(archive, "still there?", "yes", session_id)
    assert (await archive.session(session_id, owner=LOCAL_OWNER)).turns == KILLS + 1
    await archive.close()


async def test_a_turn_whose_writer_lives_is_busy_for_everybody(
    archive: Archive, path: Path
) -> None:
    writer = start_writer("stream", path, "-")
    _, session_id, _ = read_line(writer)
    read_line(writer)

    assert (await archive.last_turn(session_id, owner=LOCAL_OWNER)).status is TurnStatus.IN_PROGRESS
    with pytest.raises(SessionBusyError):
        await archive.begin_turn(session_id, "me too", owner=LOCAL_OWNER)
    with pytest.raises(SessionBusyError):
        await archive.delete_session(session_id, owner=LOCAL_OWNER)
    with pytest.raises(SessionBusyError):
        await archive.fork_session(session_id, owner=LOCAL_OWNER)
    kill(writer)


async def test_a_session_goes_on_as_soon_as_its_writer_is_dead(
    archive: Archive, path: Path
) -> None:
    session_id = await have_session(archive, turns=1)
    writer = start_writer("stream", path, session_id)
    read_line(writer)
    read_line(writer)
    kill(writer)

    begun = await archive.begin_turn(session_id, "go on", owner=LOCAL_OWNER)

    assert begun.earlier[1].reply.startswith("0 1 2")
    earlier = (await archive.turns(session_id, owner=LOCAL_OWNER)).turns[:2]
    assert [turn.status for turn in earlier] == [TurnStatus.COMPLETE, TurnStatus.INTERRUPTED]
    assert earlier[1].error is not None


async def test_the_text_of_an_interrupted_turn_can_be_searched(
    archive: Archive, path: Path
) -> None:
    writer = start_writer("stream", path, "-")
    _, session_id, _ = read_line(writer)
    kill(writer)

    page = await archive.list_sessions("lost message", owner=LOCAL_OWNER)

    assert [session.session_id for session in page.sessions] == [session_id]


@pytest.mark.slow
async def test_sixteen_processes_that_open_a_new_archive_at_once_all_find_it_whole(
    archive: Archive, path: Path
) -> None:
    writers = [start_writer("stream", path, "-") for _ in range(16)]
    begun = {read_line(writer)[1] for writer in writers}
    for writer in writers:
        kill(writer)

    page = await archive.list_sessions(limit=100, owner=LOCAL_OWNER)

    assert {session.session_id for session in page.sessions} == begun
    assert page.total == 16
    assert archive.notice() is None
