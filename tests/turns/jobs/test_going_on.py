"""A job that is cut off: by a crash, by its caller, by the end of its process."""

import signal
from collections.abc import Callable
from typing import Any

import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.jobs import JOB_INTERRUPTED
from llama_mcp.sessions.records import TurnStatus
from llama_mcp.turns.jobs.job import Job
from llama_mcp.turns.underway import STOPPED_ELSEWHERE
from tests.fake_llama_server.install import recorded_launches
from tests.support.processes import PATIENCE_SECONDS, until
from tests.turns.conftest import SENTENCE, Room
from tests.turns.jobs.conftest import Desk

pytestmark = pytest.mark.posix  # not tried with the batch file that is the stand-in on Windows

FILES = {f"{letter}_md": f"This is {letter}." for letter in "abcd"}
KILLED = {"die_at_token": {"n": 2, "signal": int(signal.SIGABRT)}}


def has_finished_one(job: Job, room: Room) -> bool:
    """Tell whether the first piece is over and llama-server works on all others."""
    return job.state.done == 1 and len(room.prompts()) == len(FILES)


async def test_a_crash_loses_the_piece_that_causes_it_and_no_other(desk: Desk) -> None:
    desk.write(**FILES)
    desk.room.set_faults(by_text={"This is b.": KILLED})
    reply = await desk.complete("*.md", each=True)
    assert reply.status is TurnStatus.COMPLETE and reply.job is not None
    errors = {result.file: result.error for result in reply.job.results}
    assert "crashed" in str(errors.pop("b.md"))
    assert errors == dict.fromkeys(["a.md", "c.md", "d.md"])
    assert len(recorded_launches(desk.room.fake_folder)) >= 2
    assert any("crash" in note for note in reply.notes)


async def test_a_job_whose_llama_server_is_stopped_ends_with_what_is_finished(
    desk: Desk,
) -> None:
    desk.write(**FILES)
    desk.room.set_faults(by_text={"This is a.": {}}, hold_at_token=2)
    job = await desk.begin("*.md", each=True)
    await until(lambda: has_finished_one(job, desk.room), "one piece is finished")
    await desk.room.starter.supervisor.stop(force=True)
    await until(lambda: job.is_over, "the job is over")
    reply = await job.deliver()
    assert reply.status is TurnStatus.FAILED and reply.job is not None
    assert [result.file for result in reply.job.results] == ["a.md"]
    assert any("was stopped" in note for note in reply.notes)
    archived = await desk.room.in_flight.archived_reply(reply.session_id, 0, owner=LOCAL_OWNER)
    assert archived.job == reply.job and archived.reply == reply.reply == f"## a.md\n\n{SENTENCE}"


async def test_a_cancelled_job_keeps_what_is_finished_and_the_same_call_asks_for_the_rest_only(
    desk: Desk,
) -> None:
    desk.write(**FILES)
    desk.room.set_faults(by_text={"This is a.": {}}, hold_at_token=2)
    job = await desk.begin("*.md", each=True)
    await until(lambda: has_finished_one(job, desk.room), "one piece is finished")
    cancelled = await desk.room.in_flight.cancel(job.session_id, owner=LOCAL_OWNER)
    assert cancelled.status is TurnStatus.CANCELLED and cancelled.job is not None
    assert [result.file for result in cancelled.job.results] == ["a.md"]
    desk.room.set_faults()
    before = len(desk.room.prompts())

    reply = await desk.complete("*.md", each=True)

    asked = desk.room.prompts()[before:]
    assert len(asked) == 3 and not any("This is a." in prompt for prompt in asked)
    assert reply.session_id != cancelled.session_id and reply.job is not None
    assert [result.reply for result in reply.job.results] == [SENTENCE] * 4
    assert any("1 reply had come before" in note for note in reply.notes)


async def test_a_cancelled_job_tells_the_pieces_of_files_that_have_no_result_yet(
    desk: Desk,
) -> None:
    last = "This is the end."
    desk.write(a_md="This is a.", b_md="It was a quiet day.\n" * 900 + last)
    held: dict[str, Any] = {"hold_at_token": 2}
    desk.room.set_faults(by_text={last: held, "This is a.": {}, "quiet day": {}}, **held)
    job = await desk.begin("*.md", each=True, max_tokens=100)
    await until(lambda: job.state.is_planned, "all pieces are cut")
    await until(lambda: job.state.done == job.state.planned - 1, "all but the last are finished")
    await job.cancel()
    reply = await job.deliver()
    assert reply.job is not None
    a, *of_b = reply.job.results
    assert (a.file, a.lines) == ("a.md", None)
    assert len(of_b) == job.state.done - 1 and of_b[0].lines is not None
    assert of_b[0].lines.startswith("1-") and {piece.file for piece in of_b} == {"b.md"}
    assert reply.reply.count(SENTENCE) == reply.job.coverage.pieces == len(reply.job.results)
    archived = await desk.room.in_flight.archived_reply(reply.session_id, 0, owner=LOCAL_OWNER)
    assert (archived.job, archived.reply) == (reply.job, reply.reply)


async def test_a_file_that_has_changed_is_read_again(desk: Desk) -> None:
    desk.write(**FILES)
    desk.room.set_faults(by_text={"This is a.": {}}, hold_at_token=2)
    job = await desk.begin("*.md", each=True)
    await until(lambda: has_finished_one(job, desk.room), "one piece is finished")
    await job.cancel()
    desk.write(a_md="This is another one.")
    desk.room.set_faults()
    before = len(desk.room.prompts())
    await desk.complete("*.md", each=True)
    assert len(desk.room.prompts()) - before == 4


async def test_another_process_stops_a_job(desk: Desk, other: Archive) -> None:
    desk.write(a_md="first")
    desk.room.set_faults(hold_at_token=2)
    job = await desk.begin("a.md")
    await other.ask_cancel(job.session_id, job.number, owner=LOCAL_OWNER)
    await until(lambda: job.is_over, "the job is over")
    reply = job.snapshot()
    assert reply.status is TurnStatus.CANCELLED and STOPPED_ELSEWHERE in reply.notes


async def test_a_job_whose_process_ends_is_interrupted_and_another_goes_on(
    open_room: Any, desk_in: Callable[[Room], Desk]
) -> None:
    async with open_room() as room:
        await room.start_llama_server()
        desk = desk_in(room)
        desk.write(**FILES)
        room.set_faults(by_text={"This is a.": {}}, hold_at_token=2)
        job = await desk.begin("*.md", each=True)
        await until(lambda: has_finished_one(job, room), "one piece is finished")
    room.set_faults()
    async with open_room() as room:
        await room.start_llama_server()
        left = await room.in_flight.archived_reply(
            job.session_id, PATIENCE_SECONDS, owner=LOCAL_OWNER
        )
        assert (left.status, left.reply) == (TurnStatus.INTERRUPTED, f"## a.md\n\n{SENTENCE}")
        assert left.notes[-1] == JOB_INTERRUPTED and left.job is not None
        assert [result.reply for result in left.job.results] == [SENTENCE]
        before = len(room.prompts())
        reply = await desk_in(room).complete("*.md", each=True)
        assert reply.status is TurnStatus.COMPLETE and len(room.prompts()) - before == 3


async def test_a_job_can_wait_for_its_model(
    idle_room: Room, desk_in: Callable[[Room], Desk]
) -> None:
    desk = desk_in(idle_room)
    desk.write(a_md="first")
    idle_room.set_faults(load_held=True)
    job = await desk.begin("a.md")
    assert job.reply.load is not None and idle_room.in_flight.waiting == 1
    assert job.snapshot().load is not None
    idle_room.set_faults()
    await until(lambda: job.is_over, "the job is over")
    assert (await job.deliver()).reply == SENTENCE


async def test_a_chat_goes_before_the_pieces_that_wait(desk: Desk) -> None:
    desk.write(**{f"{letter}_md": f"This is {letter}." for letter in "abcdefghij"})
    desk.room.set_faults(hold_at_token=2)
    job = await desk.begin("*.md", each=True)
    await until(lambda: len(desk.room.prompts()) == 4, "all slots are taken")
    turn = await desk.room.begin("hello")
    await until(lambda: turn.reply.queue_place is not None, "the chat waits")
    assert str(turn.reply.queue_place) == f"at place 1, behind {job.session_id}"
    desk.room.set_faults()
    await until(lambda: turn.is_over and job.is_over, "both are over")
    # The slots come free at once, and whoever holds one sends when its task has its turn.
    assert 4 <= desk.room.prompts().index("hello") < 8
