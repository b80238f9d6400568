"""Turns whose process has ended while llama-server goes on: kept, and taken over by one process."""

import sqlite3
from contextlib import closing
from pathlib import Path

import anyio

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.begun_turns import CacheFacts
from llama_mcp.sessions.left_turns import AdoptedTurn, StreamPoint
from llama_mcp.sessions.records import TurnEnding, TurnStatus
from llama_mcp.sessions.sqlite.migrations import MIGRATIONS

POINT = StreamPoint("secret", "run", 7, '{"reply": {}}')


async def leave_a_turn(archive: Archive, session_id: str | None = None) -> str:
    """Begin a turn, save a part of its reply, and end as a process does."""
    begun = await archive.begin_turn(
        session_id,
        "hello",
        run="before a crash",
        sampling={"seed": 3},
        stream_id=POINT.stream_id,
        owner=LOCAL_OWNER,
    )
    session_id = begun.session.session_id
    await archive.save_partial(session_id, begun.turn, "so far", "thoughts", POINT)
    await archive.close()
    return session_id


async def test_a_turn_that_can_be_read_on_is_not_interrupted_when_its_process_ends(
    archive: Archive, other: Archive
) -> None:
    session_id = await leave_a_turn(archive)
    turn = await other.last_turn(session_id, owner=LOCAL_OWNER)
    assert (turn.status, turn.reply, turn.reasoning) == (
        TurnStatus.IN_PROGRESS,
        "so far",
        "thoughts",
    )
    (left,) = await other.left_turns()
    assert (left.session_id, left.point) == (session_id, POINT)
    (underway,) = await other.turns_underway()
    assert underway.is_left and "has ended" in underway.by_whom()


async def test_a_turn_that_went_on_with_another_launch_uses_that_one(
    archive: Archive, other: Archive
) -> None:
    session_id = await leave_a_turn(archive)
    (left,) = await other.turns_underway()
    assert (left.session_id, left.run) == (session_id, POINT.run)
    behind = await other.begin_turn(None, "next", run=POINT.run, owner=LOCAL_OWNER)
    earlier = await other.earlier_underway(behind.session.session_id, POINT.run)
    assert earlier.own == (session_id,)


async def test_whoever_takes_it_over_has_all_that_was_known_of_it(
    archive: Archive, other: Archive
) -> None:
    await leave_a_turn(archive)
    session_id = (await other.list_sessions(owner=LOCAL_OWNER)).sessions[0].session_id
    adopted = await other.adopt_turn(session_id[:6], owner=LOCAL_OWNER)
    assert adopted is not None
    assert adopted.point == POINT
    assert (adopted.begun.turn, adopted.begun.earlier) == (1, ())
    assert adopted.begun.cache == CacheFacts(True, None, False)
    assert (adopted.archived.message, adopted.archived.sampling) == ("hello", {"seed": 3})
    assert (await other.left_turns(), await other.adopt_turn(session_id, owner=LOCAL_OWNER)) == (
        (),
        None,
    )
    await other.end_turn(session_id, 1, TurnEnding(status=TurnStatus.COMPLETE, reply="all"))
    assert (await other.last_turn(session_id, owner=LOCAL_OWNER)).reply == "all"
    assert await other.stream_ids() == frozenset()


async def test_of_several_processes_one_takes_a_turn_over(archive: Archive, path: Path) -> None:
    session_id = await leave_a_turn(archive)
    others = [Archive(path) for _ in range(5)]
    taken: list[AdoptedTurn | None] = []

    async def take(archive: Archive) -> None:
        taken.append(await archive.adopt_turn(session_id, owner=LOCAL_OWNER))

    async with anyio.create_task_group() as tasks:
        for each in others:
            tasks.start_soon(take, each)
    assert sum(adopted is not None for adopted in taken) == 1
    for each in others:
        await each.close()


async def test_a_turn_of_a_living_process_is_not_taken_over(
    archive: Archive, other: Archive
) -> None:
    begun = await archive.begin_turn(
        None, "hello", run="run", stream_id="secret", owner=LOCAL_OWNER
    )
    session_id = begun.session.session_id
    assert await other.adopt_turn(session_id, owner=LOCAL_OWNER) is None
    assert await other.stream_ids() == {"secret"}
    point = await other.ask_cancel(session_id, 1, owner=LOCAL_OWNER)
    assert point is not None and (point.stream_id, point.run) == ("secret", "run")


async def test_a_turn_taken_over_and_left_again_is_taken_over_again(
    archive: Archive, other: Archive
) -> None:
    session_id = await leave_a_turn(archive)
    assert await other.adopt_turn(session_id, owner=LOCAL_OWNER)
    await other.close()
    adopted = await archive.adopt_turn(session_id, owner=LOCAL_OWNER)
    assert adopted is not None and adopted.archived.reply == "so far"


async def test_a_process_of_the_version_before_writes_its_turns_in_the_new_file(
    archive: Archive, path: Path
) -> None:
    await archive.begin_turn(None, "hello", owner=LOCAL_OWNER)
    await archive.close()
    # Its statements, on a connection that was opened before the migration.
    with closing(sqlite3.connect(path)) as older, older:
        older.execute("DELETE FROM underway")
        older.execute(
            "INSERT INTO underway (turn_key, writer_id, writer_pid, saved_at_utc)"
            " SELECT turn_key, 'older', 1, '' FROM turns"
        )
        older.execute("UPDATE underway SET saved_at_utc = '', reasoning = '', reply = 'older'")
    (session,) = (await archive.list_sessions(owner=LOCAL_OWNER)).sessions
    turn = await archive.last_turn(session.session_id, owner=LOCAL_OWNER)
    assert (turn.status, turn.reply) == (TurnStatus.INTERRUPTED, "older")
    assert "ask the model to go on" in (turn.error or "")
    assert all("ADD COLUMN" in statement for statement in MIGRATIONS[5].statements)
