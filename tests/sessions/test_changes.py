"""What one process sees of the sessions that another one makes, changes and deletes."""

from pathlib import Path

from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.changes import SessionMark
from llama_mcp.sessions.session_ids import mint_session_id
from tests.sessions.talk import have_session, say


async def mark_of(archive: Archive) -> SessionMark:
    return (await archive.changes_since(None)).mark


async def test_without_a_mark_there_are_no_changes_but_a_mark(archive: Archive) -> None:
    await have_session(archive, turns=1)
    seen = await archive.changes_since(None)
    assert (seen.changed, seen.came_or_went) == ((), False)
    again = await archive.changes_since(seen.mark)
    assert (again.changed, again.came_or_went, again.mark) == ((), False, seen.mark)


async def test_asking_for_changes_does_not_create_an_archive_and_sees_it_appear(
    archive: Archive, other: Archive, path: Path
) -> None:
    mark = await mark_of(archive)
    assert await archive.existing_ids([mint_session_id()]) == frozenset()
    assert not path.parent.exists()

    session_id = await say(other, "hello", "hi")

    seen = await archive.changes_since(mark)
    assert (seen.changed, seen.came_or_went) == ((session_id,), True)


async def test_a_session_that_another_process_begins_is_new(
    archive: Archive, other: Archive
) -> None:
    await have_session(archive, turns=1)
    mark = await mark_of(archive)
    begun = await other.begin_turn(None, "hello")
    seen = await archive.changes_since(mark)
    assert (seen.changed, seen.came_or_went) == ((begun.session.session_id,), True)


async def test_sessions_that_go_on_are_changed_and_none_came_or_went(
    archive: Archive, other: Archive
) -> None:
    first, second, _ = [await have_session(archive, turns=1) for _ in range(3)]
    mark = await mark_of(archive)
    await say(other, "more", "reply", second)
    await other.update_session(first, title="another title")
    seen = await archive.changes_since(mark)
    assert (seen.changed, seen.came_or_went) == ((second, first), False)


async def test_a_session_that_another_process_deletes_went(
    archive: Archive, other: Archive
) -> None:
    kept, deleted = [await have_session(archive, turns=1) for _ in range(2)]
    mark = await mark_of(archive)
    await other.delete_session(deleted)
    seen = await archive.changes_since(mark)
    assert (seen.changed, seen.came_or_went) == ((), True)
    assert await archive.existing_ids([kept, deleted]) == {kept}


async def test_a_change_after_the_newest_session_was_deleted_is_not_missed(
    archive: Archive, other: Archive
) -> None:
    kept, deleted = [await have_session(archive, turns=1) for _ in range(2)]
    mark = await mark_of(archive)
    await other.delete_session(deleted)
    await other.update_session(kept, title="another title")
    new = await have_session(other, turns=1)
    seen = await archive.changes_since(mark)
    assert (seen.changed, seen.came_or_went) == ((kept, new), True)


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
    assert seen.changed == (session_id,)
