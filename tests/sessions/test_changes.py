"""What one process sees of the sessions that another one makes, changes and deletes."""

from pathlib import Path

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.changes import SessionChanges, SessionMark
from llama_mcp.sessions.session_ids import mint_session_id
from tests.sessions.talk import have_session, say


async def mark_of(archive: Archive) -> SessionMark:
    return (await archive.changes_since(None)).mark


def told(seen: SessionChanges) -> tuple[tuple[str, ...], bool]:
    """Return which sessions changed, and whether some came or went; all are of one owner."""
    assert {each.owner for each in seen.changed} <= {LOCAL_OWNER}
    return tuple(each.session_id for each in seen.changed), seen.lists_changed == {LOCAL_OWNER}


async def test_without_a_mark_there_are_no_changes_but_a_mark(archive: Archive) -> None:
    await have_session(archive, turns=1)
    seen = await archive.changes_since(None)
    assert told(seen) == ((), False)
    again = await archive.changes_since(seen.mark)
    assert (told(again), again.mark) == (((), False), seen.mark)


async def test_asking_for_changes_does_not_create_an_archive_and_sees_it_appear(
    archive: Archive, other: Archive, path: Path
) -> None:
    mark = await mark_of(archive)
    assert await archive.existing_ids([mint_session_id()]) == frozenset()
    assert not path.parent.exists()

    session_id = await say(other, "hello", "hi")

    seen = await archive.changes_since(mark)
    assert told(seen) == ((session_id,), True)


async def test_a_session_that_another_process_begins_is_new(
    archive: Archive, other: Archive
) -> None:
    await have_session(archive, turns=1)
    mark = await mark_of(archive)
    begun = await other.begin_turn(None, "hello", owner=LOCAL_OWNER)
    seen = await archive.changes_since(mark)
    assert told(seen) == ((begun.session.session_id,), True)


async def test_sessions_that_go_on_are_changed_and_none_came_or_went(
    archive: Archive, other: Archive
) -> None:
    first, second, _ = [await have_session(archive, turns=1) for _ in range(3)]
    mark = await mark_of(archive)
    await say(other, "more", "reply", second)
    await other.update_session(first, title="another title", owner=LOCAL_OWNER)
    seen = await archive.changes_since(mark)
    assert told(seen) == ((second, first), False)


async def test_a_session_that_another_process_deletes_went(
    archive: Archive, other: Archive
) -> None:
    kept, deleted = [await have_session(archive, turns=1) for _ in range(2)]
    mark = await mark_of(archive)
    await other.delete_session(deleted, owner=LOCAL_OWNER)
    seen = await archive.changes_since(mark)
    assert told(seen) == ((), True)
    assert await archive.existing_ids([kept, deleted]) == {kept}


async def test_a_change_after_the_newest_session_was_deleted_is_not_missed(
    archive: Archive, other: Archive
) -> None:
    kept, deleted = [await have_session(archive, turns=1) for _ in range(2)]
    mark = await mark_of(archive)
    await other.delete_session(deleted, owner=LOCAL_OWNER)
    await other.update_session(kept, title="another title", owner=LOCAL_OWNER)
    new = await have_session(other, turns=1)
    seen = await archive.changes_since(mark)
    assert told(seen) == ((kept, new), True)


async def test_an_archive_in_the_place_of_another_is_all_changes(
    archive: Archive, other: Archive, path: Path
) -> None:
    await have_session(archive, turns=3)
    mark = await mark_of(archive)
    await archive.close()
    for file in path.parent.glob("sessions.db*"):
        file.unlink()
    session_id = await say(other, "hello", "hi")
    seen = await archive.changes_since(mark)
    assert told(seen)[0] == (session_id,)
