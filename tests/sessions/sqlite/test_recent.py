"""The turns under way in all processes, and those that ended last."""

import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.errors import ArchiveError
from llama_mcp.sessions.jobs import Coverage, FinishedPiece, JobState, LeftOutPart
from llama_mcp.sessions.recent_turns import RecentTurns, Stage, TurnProgress
from llama_mcp.sessions.records import Message, Timing, TurnEnding, TurnStatus, Usage
from llama_mcp.sessions.sqlite.migrations import MIGRATIONS, applied_count
from llama_mcp.sessions.sqlite.recent import (
    SESSIONS_OF_ALL,
    SESSIONS_OF_ONE,
    TAIL_CHARACTERS,
    Wanted,
    read_recent,
)
from tests.sessions.talk import have_session, put, say, start_writer

PROGRESS = TurnProgress(
    stage=Stage.GENERATING,
    prompt_tokens=900,
    prompt_tokens_read=900,
    generated_tokens=40,
    tokens_per_second=12.5,
)


def named(turns: RecentTurns) -> list[tuple[str, int]]:
    return [(turn.session_id, turn.turn) for turn in turns.ended]


def test_an_archive_that_does_not_exist_has_no_turns_and_is_not_created(path: Path) -> None:
    assert read_recent(path, Wanted(10)).turns == RecentTurns()
    assert not path.exists()


async def test_a_turn_under_way_is_seen_by_any_process_with_all_that_is_known_of_it(
    archive: Archive, other: Archive
) -> None:
    begun = await archive.begin_turn(None, "hello", owner=LOCAL_OWNER, model="m")
    session_id = begun.session.session_id
    (turn,) = (await other.recent_turns(10, owner=None)).underway
    assert (turn.session_id, turn.title, turn.turn, turn.model) == (session_id, "hello", 1, "m")
    assert turn.pid and not turn.is_left and turn.progress is None and turn.tail == ""

    await archive.save_partial(session_id, 1, "a" * 500 + "end", "thinking", None, PROGRESS)
    (turn,) = (await other.recent_turns(10, owner=None)).underway
    assert turn.progress == PROGRESS and not turn.is_reasoning
    assert len(turn.tail) == TAIL_CHARACTERS and turn.tail.endswith("aend")
    await archive.save_partial(session_id, 1, "more", "")
    (turn,) = (await other.recent_turns(10, owner=None)).underway
    assert (turn.progress, turn.tail) == (PROGRESS, "more")


async def test_while_there_is_no_reply_the_tail_is_that_of_the_reasoning(archive: Archive) -> None:
    begun = await archive.begin_turn(None, "hello", owner=LOCAL_OWNER)
    await archive.save_partial(begun.session.session_id, 1, "", "first this")
    (turn,) = (await archive.recent_turns(0, owner=None)).underway
    assert (turn.tail, turn.is_reasoning) == ("first this", True)


async def test_progress_is_noted_without_a_text_and_never_of_a_turn_that_is_over(
    archive: Archive,
) -> None:
    begun = await archive.begin_turn(None, "hello", owner=LOCAL_OWNER)
    session_id = begun.session.session_id
    queued = TurnProgress(stage=Stage.QUEUED, place=2)
    await archive.note_progress(session_id, 1, queued)
    assert (await archive.recent_turns(0, owner=None)).underway[0].progress == queued
    await archive.end_turn(session_id, 1, TurnEnding(status=TurnStatus.COMPLETE, reply="r"))
    await archive.note_progress(session_id, 1, PROGRESS)
    assert (await archive.recent_turns(0, owner=None)).underway == ()


async def test_a_reply_that_is_asked_to_stop_says_so(archive: Archive, other: Archive) -> None:
    begun = await archive.begin_turn(None, "hello", owner=LOCAL_OWNER)
    await other.ask_cancel(begun.session.session_id, 1, owner=LOCAL_OWNER)
    assert (await other.recent_turns(0, owner=None)).underway[0].is_cancel_asked


async def test_a_job_tells_its_pieces_and_its_coverage(archive: Archive) -> None:
    begun = await archive.begin_turn(None, "sum up", owner=LOCAL_OWNER)
    session_id = begun.session.session_id
    left_out = (LeftOutPart(file="a.bin", why="it is no text"),)
    await archive.begin_job(session_id, 1, "call", JobState(planned=4))
    piece = FinishedPiece(0, 1, "d", "a.md", None, "reply")
    coverage = Coverage(files=2, pieces=1, tokens=300, left_out=left_out)
    state = JobState(done=1, planned=4, is_planned=True, stage="", coverage=coverage)
    await archive.save_piece(session_id, 1, piece, state)
    job = (await archive.recent_turns(0, owner=None)).underway[0].job
    assert job is not None and job.is_planned
    assert (job.done, job.planned, job.files, job.tokens, job.left_out) == (1, 4, 2, 300, 1)
    await archive.end_job(session_id, 1, state.model_copy(update={"done": 4}))
    await archive.end_turn(session_id, 1, TurnEnding(status=TurnStatus.COMPLETE, reply="r"))
    ended = (await archive.recent_turns(1, owner=None)).ended[0].job
    assert ended is not None and (ended.done, ended.files) == (4, 2)


async def test_a_turn_that_ended_has_its_figures(archive: Archive) -> None:
    begun = await archive.begin_turn(None, "hello", owner=LOCAL_OWNER, model="m")
    session_id = begun.session.session_id
    usage = Usage(prompt_tokens=10, cached_tokens=4, completion_tokens=7)
    timing = Timing(
        first_token_ms=5.5, total_ms=50.0, prompt_tokens_per_second=100.0, tokens_per_second=20.0
    )
    ending = TurnEnding(status=TurnStatus.CANCELLED, reply="r", usage=usage, timing=timing)
    await archive.end_turn(session_id, 1, ending)
    (turn,) = (await archive.recent_turns(10, owner=None)).ended
    assert (turn.session_id, turn.title, turn.turn, turn.model) == (session_id, "hello", 1, "m")
    assert turn.status is TurnStatus.CANCELLED
    for record in (usage, timing):
        for name, value in record:
            assert getattr(turn, name) == value


async def test_the_newest_come_first_whatever_session_they_are_of(
    archive: Archive, path: Path
) -> None:
    one, two = await have_session(archive, 3), await have_session(archive, 2)
    ended = {(one, 1): 1, (two, 1): 2, (one, 2): 3, (two, 2): 4, (one, 3): 5}
    _date(path, ended)
    turns = [at for at, _ in sorted(ended.items(), key=lambda item: -item[1])]
    for limit in range(1, 6):
        assert named(await archive.recent_turns(limit, owner=None)) == turns[:limit]
    await archive.update_session(two, title="another", owner=LOCAL_OWNER)  # which ends no turn
    assert named(await archive.recent_turns(5, owner=None)) == turns
    since = (await archive.recent_turns(5, owner=None)).ended[2].ended_at_utc
    assert named(await archive.recent_turns(5, since, owner=None)) == turns[:2]
    assert named(await archive.recent_turns(1, since, owner=None)) == turns[:1]


async def test_neither_copies_nor_an_imported_history_are_turns_that_ended(
    archive: Archive,
) -> None:
    history = [Message(role="user", content="a"), Message(role="assistant", content="b")]
    begun = await archive.begin_turn(None, "hello", owner=LOCAL_OWNER, history=history)
    session_id = begun.session.session_id
    ending = TurnEnding(status=TurnStatus.COMPLETE, reply="r")
    await archive.end_turn(session_id, 2, ending)
    fork = await archive.fork_session(session_id, owner=LOCAL_OWNER)
    await say(archive, "more", "r", fork.session_id)
    assert named(await archive.recent_turns(10, owner=None)) == [
        (fork.session_id, 3),
        (session_id, 2),
    ]


async def test_only_an_owners_turns_are_told_where_one_is_named(archive: Archive) -> None:
    for owner in ("ann", "ben"):
        for _ in range(2):
            begun = await archive.begin_turn(None, f"of {owner}", owner=owner)
            await archive.save_partial(begun.session.session_id, 1, f"to {owner}", "")
        ending = TurnEnding(status=TurnStatus.COMPLETE, reply="r")
        await archive.end_turn(begun.session.session_id, 1, ending)
    for owner in ("ann", "ben"):
        (underway,) = (seen := await archive.recent_turns(10, owner=owner)).underway
        (ended,) = seen.ended
        assert underway.owner == ended.owner == owner
        assert (underway.title, underway.tail, ended.title) == (
            *(f"of {owner}", f"to {owner}"),
            f"of {owner}",
        )
    assert await archive.recent_turns(10, owner="somebody else") == RecentTurns()
    everything = await archive.recent_turns(10, owner=None)
    assert (len(everything.underway), len(everything.ended)) == (2, 2)


@pytest.mark.parametrize("statement", [SESSIONS_OF_ALL, SESSIONS_OF_ONE])
async def test_the_newest_sessions_are_found_without_sorting_all(
    archive: Archive, path: Path, statement: str
) -> None:
    await archive.begin_turn(None, "hello", owner="ann")
    with closing(sqlite3.connect(path)) as connection:
        given = {"owner": "ann", "most": 8}
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", given).fetchall()
    (step,) = (row[3] for row in plan)
    assert "USING INDEX" in step and "SORT" not in step


def test_a_turn_whose_process_was_killed_is_over(path: Path) -> None:
    writer = start_writer("stream", path, "-")
    assert writer.stdout is not None
    session_id = writer.stdout.readline().split()[1]
    writer.stdout.readline()

    async def look() -> RecentTurns:
        archive = Archive(path)
        try:
            return await archive.recent_turns(10, owner=None)
        finally:
            await archive.close()

    assert [turn.session_id for turn in anyio.run(look).underway] == [session_id]
    writer.kill()
    writer.communicate()
    seen = anyio.run(look)
    assert seen.underway == () and named(seen) == [(session_id, 1)]
    assert seen.ended[0].status is TurnStatus.INTERRUPTED


async def test_a_file_of_an_older_llama_mcp_is_brought_up_to_date_and_read(path: Path) -> None:
    archive = Archive(path)
    session_id = await have_session(archive, 1)
    await archive.close()
    with closing(sqlite3.connect(path)) as connection:
        assert applied_count(connection) == len(MIGRATIONS)
        connection.execute("DROP TRIGGER turn_spent")
        connection.execute("DROP TABLE spent")
        connection.execute("DELETE FROM migrations WHERE number = ?", (len(MIGRATIONS),))
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) - 1}")
        connection.commit()
    assert named(await archive.recent_turns(5, owner=None)) == [(session_id, 1)]
    await archive.close()


async def test_a_process_of_the_version_before_goes_on_with_its_turn(
    archive: Archive, other: Archive, path: Path
) -> None:
    begun = await archive.begin_turn(None, "hello", owner=LOCAL_OWNER)
    session_id = begun.session.session_id
    with closing(sqlite3.connect(path)) as older:
        # What it writes as it saves names the columns that it knows.
        older.execute("UPDATE underway SET saved_at_utc = '2026', reasoning = '', reply = 'part'")
        older.commit()
    (turn,) = (await other.recent_turns(0, owner=None)).underway
    assert (turn.session_id, turn.tail, turn.progress) == (session_id, "part", None)


async def test_what_is_no_archive_is_told(path: Path) -> None:
    put(path, b"no database at all" * 100)
    archive = Archive(path, may_replace=False)
    with pytest.raises(ArchiveError):
        await archive.recent_turns(5, owner=None)
    await archive.close()


def _date(path: Path, ended: dict[tuple[str, int], int]) -> None:
    """Have turns ended at these seconds, and their sessions changed with the last one."""
    with closing(sqlite3.connect(path)) as connection:
        connection.create_function("searchable", 2, lambda *_: "")
        for (session_id, turn), second in sorted(ended.items(), key=lambda item: item[1]):
            at = f"2026-11-27T10:00:{second:02}.000Z"
            connection.execute(
                "UPDATE turns SET ended_at_utc = ? WHERE turn_key ="
                " (SELECT (session_key << 20) + ? FROM sessions WHERE session_id = ?)",
                (at, turn, session_id),
            )
            connection.execute(
                "UPDATE sessions SET updated_at_utc = ?, last_change = ? WHERE session_id = ?",
                (at, 1000 + second, session_id),
            )
        connection.execute("UPDATE totals SET last_change = 2000")
        connection.commit()
