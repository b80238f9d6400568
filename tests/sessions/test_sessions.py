"""Sessions: listed, read, changed, copied, deleted."""

import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.errors import InvalidArgumentError
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.errors import (
    NoReplyUnderwayError,
    SessionBusyError,
    SessionNotFoundError,
)
from llama_mcp.sessions.records import SessionList, TurnEnding, TurnStatus
from llama_mcp.sessions.texts import utc_text
from tests.sessions.talk import have_session, say


def titles(page: SessionList) -> list[str]:
    return [session.title for session in page.sessions]


async def test_an_empty_archive_has_no_sessions(archive: Archive) -> None:
    assert await archive.list_sessions(owner=LOCAL_OWNER) == SessionList(total=0)
    found = await archive.list_sessions("anything", owner=LOCAL_OWNER)
    assert (found.total, found.sessions) == (0, ())


async def test_the_session_that_changed_last_comes_first(archive: Archive) -> None:
    first = await say(archive, "first", "reply")
    await say(archive, "second", "reply")
    await say(archive, "third", "reply")
    assert titles(await archive.list_sessions(owner=LOCAL_OWNER)) == ["third", "second", "first"]

    await say(archive, "more", "reply", first)

    assert titles(await archive.list_sessions(owner=LOCAL_OWNER)) == ["first", "third", "second"]


async def test_before_pages_through_all_sessions_also_while_they_change(archive: Archive) -> None:
    ids = [await say(archive, f"session {number}", "reply") for number in range(7)]
    first = await archive.list_sessions(limit=3, owner=LOCAL_OWNER)
    await say(archive, "a new one", "reply")
    await say(archive, "again", "reply", ids[5])

    second = await archive.list_sessions(limit=3, before=first.next_before, owner=LOCAL_OWNER)
    third = await archive.list_sessions(limit=3, before=second.next_before, owner=LOCAL_OWNER)

    assert titles(first) == ["session 6", "session 5", "session 4"]
    assert titles(second) == ["session 3", "session 2", "session 1"]
    assert titles(third) == ["session 0"]
    assert [page.total for page in (first, second, third)] == [7, 8, 8]
    assert third.next_before is None


async def test_a_page_that_holds_the_rest_has_no_next(archive: Archive) -> None:
    for number in range(3):
        await say(archive, f"session {number}", "reply")
    assert (await archive.list_sessions(limit=3, owner=LOCAL_OWNER)).next_before is None
    assert (await archive.list_sessions(limit=2, owner=LOCAL_OWNER)).next_before is not None


@pytest.mark.parametrize("query", [None, "message", "message tomato", "!"])
async def test_a_list_can_be_had_of_what_changed_before_a_date(
    archive: Archive, path: Path, query: str | None
) -> None:
    ids = [await say(archive, f"message {number}!", "reply") for number in range(3)]
    with closing(sqlite3.connect(path)) as connection, connection:
        for session_id, time_utc in zip(ids, ("11-22T10", "11-23T10", "11-25T00"), strict=True):
            connection.execute(
                "UPDATE sessions SET updated_at_utc = ? WHERE session_id = ?",
                (f"2026-{time_utc}:00:00.000Z", session_id),
            )
    for before, expected in (
        ("2026-11-25", ids[1::-1]),
        ("2026-11-23T11:30+02:00", ids[:1]),
        ("2026-11-25T00:00:00.001Z", ids[::-1]),
        ("0001-01-01", []),
        ("9999-12-31", ids[::-1]),
    ):
        page = await archive.list_sessions(query, before=before, owner=LOCAL_OWNER)
        assert [session.session_id for session in page.sessions] == expected


@pytest.mark.parametrize(
    "before", ["", "x", "0001-01-01T00:00+14:00", "-1", "1; DROP TABLE turns", "²", "9" * 40]
)
async def test_a_cursor_that_is_none_is_refused(archive: Archive, before: str) -> None:
    with pytest.raises(InvalidArgumentError, match="before"):
        await archive.list_sessions(before=before, owner=LOCAL_OWNER)


async def test_turns_are_read_in_pages_with_a_total(archive: Archive) -> None:
    session_id = await have_session(archive, turns=5)

    page = await archive.turns(session_id, offset=1, limit=2, owner=LOCAL_OWNER)

    assert [turn.message for turn in page.turns] == ["message 2", "message 3"]
    assert (page.total, page.offset) == (5, 1)
    assert page.session.session_id == session_id
    assert [
        t.turn for t in (await archive.turns(session_id, offset=4, owner=LOCAL_OWNER)).turns
    ] == [5]
    assert (await archive.turns(session_id, offset=5, owner=LOCAL_OWNER)).turns == ()
    assert (
        await archive.turns(session_id, offset=10**9, limit=10**9, owner=LOCAL_OWNER)
    ).turns == ()


async def test_one_session_is_never_read_into_the_next(archive: Archive) -> None:
    first = await have_session(archive, turns=2)
    await have_session(archive, turns=3)
    assert (await archive.turns(first, limit=10**12, owner=LOCAL_OWNER)).total == 2
    assert len((await archive.turns(first, limit=10**12, owner=LOCAL_OWNER)).turns) == 2


async def test_title_and_system_prompt_change_one_at_a_time(archive: Archive) -> None:
    session_id = await have_session(archive, turns=1)

    titled = await archive.update_session(
        session_id, title="  A better\n title ", owner=LOCAL_OWNER
    )
    assert (titled.title, titled.system_prompt) == ("A better title", None)
    prompted = await archive.update_session(
        session_id, system_prompt="Be brief.", owner=LOCAL_OWNER
    )
    assert (prompted.title, prompted.system_prompt) == ("A better title", "Be brief.")
    cleared = await archive.update_session(session_id, system_prompt="", owner=LOCAL_OWNER)
    assert cleared.system_prompt is None


async def test_a_title_without_text_is_refused(archive: Archive) -> None:
    session_id = await have_session(archive, turns=1)
    with pytest.raises(InvalidArgumentError, match="title"):
        await archive.update_session(session_id, title=" \n", owner=LOCAL_OWNER)
    with pytest.raises(InvalidArgumentError, match="title"):
        await archive.update_session(session_id, owner=LOCAL_OWNER)


async def test_a_fork_is_a_copy_up_to_a_turn_that_says_where_it_came_from(
    archive: Archive,
) -> None:
    origin = await have_session(archive, turns=4)
    await archive.update_session(origin, system_prompt="Be brief.", owner=LOCAL_OWNER)

    fork = await archive.fork_session(origin, at_turn=2, owner=LOCAL_OWNER)

    assert fork.session_id != origin
    assert (fork.forked_from, fork.forked_at_turn, fork.turns) == (origin, 2, 2)
    assert (fork.title, fork.system_prompt) == ("message 1", "Be brief.")
    copies = (await archive.turns(fork.session_id, owner=LOCAL_OWNER)).turns
    originals = (await archive.turns(origin, owner=LOCAL_OWNER)).turns[:2]
    assert [(t.message, t.reply, t.started_at_utc) for t in copies] == [
        (t.message, t.reply, t.started_at_utc) for t in originals
    ]


async def test_a_fork_and_its_origin_go_on_apart(archive: Archive) -> None:
    origin = await have_session(archive, turns=2)
    fork = (await archive.fork_session(origin, owner=LOCAL_OWNER)).session_id
    await say(archive, "left", "reply", origin)
    await say(archive, "right", "reply", fork)

    assert (await archive.last_turn(origin, owner=LOCAL_OWNER)).message == "left"
    assert (await archive.last_turn(fork, owner=LOCAL_OWNER)).message == "right"
    await archive.delete_session(origin, owner=LOCAL_OWNER)
    assert (await archive.session(fork, owner=LOCAL_OWNER)).forked_from == origin
    assert (await archive.turns(fork, owner=LOCAL_OWNER)).total == 3


@pytest.mark.parametrize(("cut", "at_turn", "kept"), [(1, 3, 1), (3, 3, 3), (4, 3, 1), (2, 4, 2)])
async def test_a_fork_keeps_the_cut_unless_it_would_leave_everything_out(
    archive: Archive, cut: int, at_turn: int, kept: int
) -> None:
    origin = await have_session(archive, turns=5)
    await archive.set_cut(origin, cut)
    fork = await archive.fork_session(origin, at_turn, owner=LOCAL_OWNER)
    assert (
        await archive.begin_turn(fork.session_id, "go on", owner=LOCAL_OWNER)
    ).first_turn_in_prompt == kept


async def test_a_fork_while_a_reply_is_generated_leaves_that_turn_out(archive: Archive) -> None:
    origin = await have_session(archive, turns=2)
    await archive.begin_turn(origin, "message 3", owner=LOCAL_OWNER)

    assert (await archive.fork_session(origin, owner=LOCAL_OWNER)).turns == 2
    with pytest.raises(SessionBusyError):
        await archive.fork_session(origin, at_turn=3, owner=LOCAL_OWNER)


async def test_a_fork_at_turn_0_has_no_turn_and_begins_like_its_origin(archive: Archive) -> None:
    begun = await archive.begin_turn(None, "hello", system_prompt="Be brief.", owner=LOCAL_OWNER)
    origin = begun.session.session_id
    await archive.end_turn(origin, 1, TurnEnding(status=TurnStatus.COMPLETE, reply="hi"))

    fork = await archive.fork_session(origin, at_turn=0, owner=LOCAL_OWNER)

    assert (fork.turns, fork.forked_at_turn, fork.system_prompt) == (0, 0, "Be brief.")
    with pytest.raises(NoReplyUnderwayError):
        await archive.last_turn(fork.session_id, owner=LOCAL_OWNER)
    assert (await archive.turns(fork.session_id, owner=LOCAL_OWNER)).turns == ()
    assert (await archive.fork_session(fork.session_id, owner=LOCAL_OWNER)).turns == 0
    begun = await archive.begin_turn(fork.session_id, "hello, once more", owner=LOCAL_OWNER)
    assert (begun.turn, begun.earlier, begun.cache.is_first_turn) == (1, (), True)


async def test_a_page_behind_the_last_turn_says_how_many_there_are(archive: Archive) -> None:
    session_id = await have_session(archive, turns=1)
    page = await archive.turns(session_id, offset=99, owner=LOCAL_OWNER)
    assert (page.turns, page.next_offset) == ((), None)
    assert page.note == "offset is 99, and the session has 1 turn."
    assert (await archive.turns(session_id, owner=LOCAL_OWNER)).note is None


async def test_a_busy_session_says_since_when_by_whom_and_the_way_out(
    archive: Archive, other: Archive
) -> None:
    begun = await archive.begin_turn(None, "hello", owner=LOCAL_OWNER)
    (underway,) = await other.turns_underway()
    assert (underway.session_id, underway.title) == (begun.session.session_id, "hello")
    elsewhere = replace(underway, writer_pid=4321, started_at_utc=utc_text(time.time() - 7200))
    assert "for 2 h now, by another llama-mcp process (pid 4321)" in str(
        SessionBusyError(elsewhere)
    )
    for refuse in (other.delete_session, other.check_idle):
        with pytest.raises(SessionBusyError, match=r"for \d+ s now\. Wait .* or cancel") as failure:
            await refuse(underway.session_id, owner=LOCAL_OWNER)
        assert "leave session_id out" not in str(failure.value)
    with pytest.raises(SessionBusyError, match="Pass at_turn=0 to copy what has ended"):
        await other.fork_session(underway.session_id, at_turn=1, owner=LOCAL_OWNER)


@pytest.mark.parametrize("at_turn", [-1, 3, 10**9])
async def test_a_fork_at_a_turn_that_is_not_there_is_refused(
    archive: Archive, at_turn: int
) -> None:
    origin = await have_session(archive, turns=2)
    with pytest.raises(InvalidArgumentError, match="has 2 turns. Pass at most 2"):
        await archive.fork_session(origin, at_turn, owner=LOCAL_OWNER)
    assert (await archive.list_sessions(owner=LOCAL_OWNER)).total == 1


async def test_a_deleted_session_is_gone_with_everything_that_could_be_found_of_it(
    archive: Archive,
) -> None:
    session_id = await say(archive, "unforgettable", "remarkable")
    other = await say(archive, "hello", "remarkable too")

    deleted = await archive.delete_session(session_id, owner=LOCAL_OWNER)

    assert (deleted.session_id, deleted.turns) == (session_id, 1)
    with pytest.raises(SessionNotFoundError):
        await archive.session(session_id, owner=LOCAL_OWNER)
    assert (await archive.list_sessions("unforgettable", owner=LOCAL_OWNER)).total == 0
    page = await archive.list_sessions("remarkable", owner=LOCAL_OWNER)
    assert [session.session_id for session in page.sessions] == [other]
    assert (await archive.list_sessions(owner=LOCAL_OWNER)).total == 1


async def test_deleting_is_refused_while_a_reply_is_generated(
    archive: Archive, other: Archive
) -> None:
    session_id = (await archive.begin_turn(None, "hello", owner=LOCAL_OWNER)).session.session_id
    for each in (archive, other):
        with pytest.raises(SessionBusyError):
            await each.delete_session(session_id, owner=LOCAL_OWNER)
    await archive.end_turn(session_id, 1, TurnEnding(status=TurnStatus.COMPLETE, reply="hi"))
    await other.delete_session(session_id, owner=LOCAL_OWNER)


async def test_a_session_that_was_deleted_elsewhere_is_gone_here(
    archive: Archive, other: Archive
) -> None:
    session_id = await have_session(archive, turns=1)
    await other.delete_session(session_id, owner=LOCAL_OWNER)
    with pytest.raises(SessionNotFoundError):
        await archive.begin_turn(session_id, "still there?", owner=LOCAL_OWNER)


async def test_ids_complete_from_their_beginning_newest_first(archive: Archive) -> None:
    ids = [await say(archive, f"session {number}", "reply") for number in range(5)]

    assert await archive.complete_ids("", owner=LOCAL_OWNER) == tuple(reversed(ids))
    assert await archive.complete_ids("", limit=2, owner=LOCAL_OWNER) == tuple(reversed(ids))[:2]
    assert await archive.complete_ids(f" {ids[2][:6].upper()}", owner=LOCAL_OWNER) == (ids[2],)
    assert await archive.complete_ids(ids[2], owner=LOCAL_OWNER) == (ids[2],)
    for nothing in ("%", "*", "zzzz-zzzz-zzzz-", "../", "'"):
        assert await archive.complete_ids(nothing, owner=LOCAL_OWNER) == ()
