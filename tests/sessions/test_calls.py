"""What the archive knows of calls that were made lately."""

import sqlite3
from contextlib import closing
from pathlib import Path

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.left_turns import CutOffCall
from llama_mcp.sessions.records import TurnEnding, TurnStatus
from tests.sessions.talk import say

COMPLETE = TurnEnding(status=TurnStatus.COMPLETE, reply="hi")


async def test_a_call_of_a_process_that_lives_is_not_cut_off(archive: Archive, path: Path) -> None:
    other = Archive(path)
    await other.begin_turn(None, "hello", call="c1", owner=LOCAL_OWNER)
    assert await archive.cut_off_call("c1", owner=LOCAL_OWNER) is None
    assert await other.cut_off_call("c1", owner=LOCAL_OWNER) is None
    await other.close()


async def test_a_call_whose_reply_has_ended_with_its_process_is_not_joined(
    archive: Archive, path: Path
) -> None:
    other = Archive(path)
    begun = await other.begin_turn(None, "hello", call="c1", owner=LOCAL_OWNER)
    await other.close()
    assert await archive.cut_off_call("c1", owner=LOCAL_OWNER) is None
    last = await archive.last_turn(begun.session.session_id, owner=LOCAL_OWNER)
    assert last.status is TurnStatus.INTERRUPTED


async def test_an_archive_that_was_never_used_knows_no_call(archive: Archive) -> None:
    assert await archive.cut_off_call("c1", owner=LOCAL_OWNER) is None
    assert not archive.exists()


async def test_calls_are_kept_for_a_minute_after_their_turns_have_ended(
    archive: Archive, path: Path
) -> None:
    old = await archive.begin_turn(None, "hello", call="old", owner=LOCAL_OWNER)
    await archive.end_turn(old.session.session_id, 1, COMPLETE)
    new = await archive.begin_turn(None, "hello", call="new", owner=LOCAL_OWNER)
    await archive.end_turn(new.session.session_id, 1, COMPLETE)
    underway = await archive.begin_turn(None, "hello", call="underway", owner=LOCAL_OWNER)
    gone = await archive.begin_turn(None, "hello", call="gone", owner=LOCAL_OWNER)
    await archive.end_turn(gone.session.session_id, 1, COMPLETE)
    await archive.delete_session(gone.session.session_id, owner=LOCAL_OWNER)
    await archive.note_told(underway.session.session_id, 1)
    with closing(sqlite3.connect(path)) as file, file:
        file.execute(
            "UPDATE turns SET ended_at_utc = '2026-01-01T00:00:00.000Z' WHERE turn_key >> 20 = 1"
        )
        file.execute("UPDATE turns SET started_at_utc = '2026-01-01T00:00:00.000Z'")
    await archive.begin_turn(None, "hello", call="last", owner=LOCAL_OWNER)
    with closing(sqlite3.connect(path)) as file, file:
        rows = file.execute("SELECT call, is_told FROM recent_calls ORDER BY turn_key").fetchall()
    assert rows == [("new", 0), ("underway", 1), ("last", 0)]


async def cancelled(archive: Archive) -> str:
    """Have a session whose only turn was cancelled after some words."""
    session_id = await say(archive, "an earlier question", "an earlier reply")
    begun = await archive.begin_turn(session_id, "hello", call="c1", owner=LOCAL_OWNER)
    ending = TurnEnding(status=TurnStatus.CANCELLED, reply="some words")
    await archive.end_turn(session_id, begun.turn, ending)
    return session_id


async def test_a_cancelled_turn_is_under_way_once_more_with_all_that_had_come(
    archive: Archive, other: Archive
) -> None:
    session_id = await cancelled(archive)
    for each in (archive, other):
        assert await each.cut_off_call("c1", owner=LOCAL_OWNER) == CutOffCall(
            session_id, 2, is_cancelled=True
        )
    begun, archived = await other.begun_again(session_id)
    assert (begun.turn, [turn.reply for turn in begun.earlier]) == (2, ["an earlier reply"])
    assert archived.reply == "some words"
    assert await other.reopen_turn(begun, "run")
    assert not await archive.reopen_turn(begun, "run")
    assert await archive.cut_off_call("c1", owner=LOCAL_OWNER) is None
    last = await archive.last_turn(session_id, owner=LOCAL_OWNER)
    assert (last.status, last.reply) == (TurnStatus.IN_PROGRESS, "some words")
    # What goes on is found by its words when it has ended, and once.
    assert not (await archive.list_sessions("some words", owner=LOCAL_OWNER)).sessions
    ending = TurnEnding(status=TurnStatus.COMPLETE, reply="some words and more")
    await other.end_turn(session_id, 2, ending)
    (found,) = (await archive.list_sessions("some words", owner=LOCAL_OWNER)).sessions
    assert (found.session_id, found.turns) == (session_id, 2)
    await archive.delete_session(session_id, owner=LOCAL_OWNER)
    assert not (await archive.list_sessions("some", owner=LOCAL_OWNER)).sessions


async def test_a_reopened_turn_whose_process_dies_has_all_that_had_come(
    archive: Archive, path: Path
) -> None:
    session_id = await cancelled(archive)
    other = Archive(path)
    begun, _ = await other.begun_again(session_id)
    assert await other.reopen_turn(begun, "run")
    await other.close()
    last = await archive.last_turn(session_id, owner=LOCAL_OWNER)
    assert (last.status, last.reply) == (TurnStatus.INTERRUPTED, "some words")


async def test_a_cancelled_turn_that_its_session_has_left_behind_is_not_reopened(
    archive: Archive,
) -> None:
    session_id = await cancelled(archive)
    begun, _ = await archive.begun_again(session_id)
    await say(archive, "and?", "well", session_id)
    assert await archive.cut_off_call("c1", owner=LOCAL_OWNER) is None
    assert not await archive.reopen_turn(begun, "run")
