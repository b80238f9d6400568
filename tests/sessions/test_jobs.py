"""Jobs over files in the archive: their pieces, also when their process dies."""

import sqlite3
from contextlib import closing
from pathlib import Path

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.jobs import (
    JOB_INTERRUPTED,
    Coverage,
    FileResult,
    FinishedPiece,
    JobState,
    LeftOutPart,
    break_notes,
    coverage_notes,
    job_of,
)
from llama_mcp.sessions.records import TurnEnding, TurnStatus

FIRST = FinishedPiece(0, 1, "d1", "a.md", "1-80", "first reply")
SECOND = FinishedPiece(0, 2, "d2", "a.md", "81-", "second reply", was_cut_off=True)
TOGETHER = FinishedPiece(1, 1, "d3", "a.md", None, "both")
STATE = JobState(done=2, planned=3)


async def begin(archive: Archive, *pieces: FinishedPiece) -> str:
    begun = await archive.begin_turn(None, "Sum up.", owner=LOCAL_OWNER)
    session_id = begun.session.session_id
    await archive.begin_job(session_id, 1, "call", JobState())
    for piece in pieces:
        await archive.save_piece(session_id, 1, piece, STATE)
    return session_id


async def test_a_turn_of_a_conversation_is_no_job(archive: Archive) -> None:
    begun = await archive.begin_turn(None, "hello", owner=LOCAL_OWNER)
    assert await archive.job(begun.session.session_id, 1, owner=LOCAL_OWNER) is None


async def test_a_job_is_known_to_other_processes_with_its_finished_pieces(
    archive: Archive, other: Archive
) -> None:
    session_id = await begin(archive, SECOND, TOGETHER, FIRST)
    kept = await other.job(session_id, 1, owner=LOCAL_OWNER)
    assert kept is not None
    assert (kept.state, kept.pieces) == (STATE, (FIRST, SECOND, TOGETHER))
    results = [(each.file, each.lines, each.reply) for each in job_of(kept).results]
    assert results == [("a.md", "1-80", "first reply"), ("a.md", "81-", "second reply")]


async def test_a_job_whose_process_has_died_is_interrupted_and_keeps_what_was_finished(
    archive: Archive, other: Archive
) -> None:
    session_id = await begin(archive, FIRST, SECOND, TOGETHER)
    assert await other.pieces_left("call", owner=LOCAL_OWNER) == ()
    await archive.close()
    turn = await other.last_turn(session_id, owner=LOCAL_OWNER)
    assert (turn.status, turn.error) == (TurnStatus.INTERRUPTED, JOB_INTERRUPTED)
    assert turn.reply == (
        "## a.md, lines 1-80\n\nfirst reply\n\n## a.md, lines 81-\n\nsecond reply"
    )
    assert (await other.list_sessions("second", owner=LOCAL_OWNER)).total == 1
    assert await other.pieces_left("call", owner=LOCAL_OWNER) == (FIRST, SECOND, TOGETHER)
    assert await other.pieces_left("another call", owner=LOCAL_OWNER) == ()


async def test_a_complete_job_keeps_its_results_and_no_pieces(archive: Archive) -> None:
    session_id = await begin(archive, FIRST, SECOND)
    results = (FileResult(file="a.md", parsed={"n": [1]}), FileResult(file="b.md", error="odd"))
    state = STATE.model_copy(update={"results": results})
    await archive.end_job(session_id, 1, state)
    await archive.end_turn(session_id, 1, TurnEnding(status=TurnStatus.COMPLETE, reply="all"))
    assert await archive.pieces_left("call", owner=LOCAL_OWNER) == ()
    await archive.forget_pieces(session_id, 1)
    kept = await archive.job(session_id, 1, owner=LOCAL_OWNER)
    assert kept is not None and (kept.state, kept.pieces) == (state, ())
    assert job_of(kept) == state


async def test_a_job_that_is_killed_before_its_reply_is_written_loses_no_piece(
    archive: Archive, other: Archive
) -> None:
    session_id = await begin(archive, FIRST, SECOND)
    await archive.end_job(session_id, 1, STATE)
    await archive.close()
    assert (await other.last_turn(session_id, owner=LOCAL_OWNER)).reply.endswith("second reply")
    assert await other.pieces_left("call", owner=LOCAL_OWNER) == (FIRST, SECOND)


async def test_a_cancelled_job_can_be_gone_on_with(archive: Archive) -> None:
    session_id = await begin(archive, FIRST)
    await archive.end_job(session_id, 1, STATE)
    await archive.end_turn(session_id, 1, TurnEnding(status=TurnStatus.CANCELLED))
    assert await archive.pieces_left("call", owner=LOCAL_OWNER) == (FIRST,)
    # Once it was completed, who asks again wants another answer.
    again = await begin(archive, FIRST, SECOND)
    await archive.end_job(again, 1, STATE)
    await archive.end_turn(again, 1, TurnEnding(status=TurnStatus.COMPLETE, reply="all"))
    assert await archive.pieces_left("call", owner=LOCAL_OWNER) == ()


async def test_a_deleted_session_leaves_nothing_of_its_job(archive: Archive, path: Path) -> None:
    session_id = await begin(archive, FIRST)
    await archive.end_turn(session_id, 1, TurnEnding(status=TurnStatus.CANCELLED))
    fork = await archive.fork_session(session_id, owner=LOCAL_OWNER)
    assert await archive.job(fork.session_id, 1, owner=LOCAL_OWNER) is None
    await archive.delete_session(session_id, owner=LOCAL_OWNER)
    await archive.close()
    with closing(sqlite3.connect(path)) as connection:
        for table in ("jobs", "job_pieces"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_what_was_left_out_is_said_in_sentences() -> None:
    left_out = (LeftOutPart(file="b.md", lines="1-9", why="it is odd"),)
    coverage = Coverage(files=1, pieces=2, tokens=30, left_out=left_out)
    assert coverage_notes(JobState(named=("a.md", "b.md"), coverage=coverage)) == (
        "Files: a.md, b.md; read: 2 pieces, 30 tokens.",
        "Left out: b.md, lines 1-9 (it is odd).",
    )


def test_of_a_job_that_ended_early_it_is_said_how_far_it_came() -> None:
    assert break_notes(JobState(done=2, planned=9)) == ("It ended after 2 of about 9 pieces.",)
    state = JobState(done=2, planned=3, is_planned=True)
    assert "It ended after 2 of 3 pieces." in coverage_notes(state)
    for state in (JobState(planned=1), JobState(done=3, planned=3, is_planned=True)):
        assert break_notes(state) == ()
