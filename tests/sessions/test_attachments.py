"""Files that were sent with messages: kept as they were, told without their contents."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.attachments import AttachedFile, Attachment, SaveTo
from llama_mcp.sessions.begun_turns import BegunTurn
from llama_mcp.sessions.records import TurnEnding, TurnStatus
from tests.sessions.talk import say

PICTURE = Attachment(
    AttachedFile(name="sea.png", media_type="image/png", size_bytes=4, sha256="1"), b"\x89\0\xff\n"
)
NOTES = Attachment(
    AttachedFile(name="notes/a.md", first_line=2, last_line=3, size_bytes=99, sha256="2"),
    "two\r\n\0three\ufeff",
)


async def begin(archive: Archive, session_id: str | None = None) -> BegunTurn:
    begun = await archive.begin_turn(
        session_id, "See these.", attached=[PICTURE, NOTES], owner=LOCAL_OWNER
    )
    await end(archive, begun)
    return begun


async def end(archive: Archive, begun: BegunTurn) -> None:
    ending = TurnEnding(status=TurnStatus.COMPLETE, reply="Seen.")
    await archive.end_turn(begun.session.session_id, begun.turn, ending)


def contents_in(path: Path) -> list[object]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT content FROM attachments")]


def is_in(path: Path, text: bytes) -> bool:
    return text in path.read_bytes()


async def test_a_turn_is_begun_with_its_files_and_those_of_the_turns_before(
    archive: Archive, other: Archive
) -> None:
    first = await begin(archive)
    session_id = first.session.session_id
    await say(archive, "And now?", "No file.", session_id)
    assert first.attached == {1: (PICTURE, NOTES)}

    third = await other.begin_turn(session_id, "Again.", attached=[NOTES], owner=LOCAL_OWNER)

    assert third.attached == {1: (PICTURE, NOTES), 3: (NOTES,)}


async def test_what_is_read_of_a_turn_tells_its_files_and_not_their_contents(
    archive: Archive,
) -> None:
    begun = await begin(archive)

    page = await archive.turns(begun.session.session_id, owner=LOCAL_OWNER)

    assert page.turns[0].files == (PICTURE.file, NOTES.file)
    assert "three" not in page.model_dump_json()


async def test_files_of_turns_that_are_left_out_of_the_prompt_are_not_read(
    archive: Archive,
) -> None:
    begun = await begin(archive)
    await archive.set_cut(begun.session.session_id, 2)

    second = await archive.begin_turn(begun.session.session_id, "Go on.", owner=LOCAL_OWNER)

    assert second.attached == {}


async def test_a_fork_has_the_files_of_the_turns_that_it_copies(archive: Archive) -> None:
    begun = await begin(archive)
    await begin(archive, begun.session.session_id)

    fork = await archive.fork_session(begun.session.session_id, 1, owner=LOCAL_OWNER)
    await archive.delete_session(begun.session.session_id, owner=LOCAL_OWNER)

    assert (await archive.begin_turn(fork.session_id, "?", owner=LOCAL_OWNER)).attached == {
        1: (PICTURE, NOTES)
    }


async def test_a_deleted_session_leaves_no_content(archive: Archive, path: Path) -> None:
    begun = await begin(archive)
    assert contents_in(path) == [PICTURE.content, NOTES.content]

    await archive.delete_session(begun.session.session_id, owner=LOCAL_OWNER)

    assert contents_in(path) == []
    await archive.close()
    assert not is_in(path, b"three")


async def test_a_turn_that_is_begun_again_has_its_files_and_where_its_reply_goes(
    archive: Archive,
) -> None:
    save_to = SaveTo(path="/there/a.md", folder="/there", overwrite=True)
    first = await archive.begin_turn(
        None, "Go.", attached=[NOTES], save_to=save_to, owner=LOCAL_OWNER
    )

    begun, archived = await archive.begun_again(first.session.session_id)

    assert begun.attached == {1: (NOTES,)}
    assert archived.save_to == save_to


async def test_the_title_is_the_messages_and_no_content_is_searched(archive: Archive) -> None:
    begun = await begin(archive)

    assert begun.session.title == "See these."
    assert not (await archive.list_sessions("three", owner=LOCAL_OWNER)).sessions


@pytest.mark.parametrize("query", ["sea.png", "NOTES", "png these", "a.md", "note"])
async def test_a_session_is_found_by_the_names_of_its_files(archive: Archive, query: str) -> None:
    begun = await begin(archive)
    await say(archive, "Nothing of the kind.", "No.")

    (found,) = (await archive.list_sessions(query, owner=LOCAL_OWNER)).sessions

    assert found.session_id == begun.session.session_id
    assert found.match and ("notes/a.md" in found.match or "sea.png" in found.match)
