"""Turns with files: whatever becomes of one, the model reads the same, and its file is written."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.attachments import AttachedFile, Attachment, SaveTo
from llama_mcp.sessions.records import TurnStatus
from llama_mcp.turns import file_check
from llama_mcp.turns.chat_request import ChatRequest, Sampling
from llama_mcp.turns.errors import CannotSeeError, FilesFullError, HistoryFullError
from llama_mcp.turns.message_parts import user_message
from llama_mcp.turns.turn import Turn
from tests.fake_llama_server.install import received_requests
from tests.fake_llama_server.running import CHAT
from tests.support.processes import until
from tests.turns.conftest import HANGING, PART, SENTENCE, Room

pytestmark = pytest.mark.posix  # not tried with the batch file that is the stand-in on Windows

NOTES = Attachment(AttachedFile(name="notes.md", size_bytes=9, sha256="1"), "two\nlines")
PICTURE = Attachment(
    AttachedFile(name="sea.png", media_type="image/png", size_bytes=3, sha256="2"), b"abc"
)
REQUEST = ChatRequest(message="hello", files=(NOTES,), owner=LOCAL_OWNER)
ASKED = user_message("hello", [NOTES])
GOES_ON: dict[str, Any] = {"by_text": {"continue_final_message": {}}}


async def complete(room: Room, request: ChatRequest) -> Turn:
    turn = await room.in_flight.take_turn(request)
    await until(lambda: turn.is_over, "the turn is over")
    return turn


def sent(room: Room) -> list[list[dict[str, Any]]]:
    """The messages of each chat request."""
    requests = received_requests(room.fake_folder)
    return [request["body"]["messages"] for request in requests if request["path"] == CHAT]


async def test_later_turns_begin_with_the_same_bytes(room: Room) -> None:
    first = await complete(room, REQUEST)
    await complete(
        room, ChatRequest(message="and?", session_id=first.session_id, owner=LOCAL_OWNER)
    )
    answer = {"role": "assistant", "content": SENTENCE}
    assert sent(room) == [[ASKED], [ASKED, answer, user_message("and?")]]


async def test_after_a_crash_the_rest_is_asked_for_with_the_same_files(room: Room) -> None:
    room.set_faults(die_at_token={"n": 3, "code": 1}, **GOES_ON)
    turn = await complete(room, REQUEST)
    assert turn.reply.text == SENTENCE
    assert sent(room) == [[ASKED], [ASKED, {"role": "assistant", "content": PART}]]


async def test_a_call_that_was_taken_back_goes_on_with_its_files_when_it_is_made_again(
    room: Room,
) -> None:
    room.set_faults(**HANGING)
    call = await room.in_flight.ask(REQUEST)
    turn = call.turn
    assert turn is not None
    await until(lambda: turn.reply.text == PART, "the first part of the reply is there")
    await room.in_flight.withdraw(call)
    room.set_faults()

    again = (await room.in_flight.ask(REQUEST)).turn

    assert again is not None and again.session_id == turn.session_id
    await until(lambda: again.is_over, "the turn is over")
    assert sent(room) == [[ASKED], [ASKED, {"role": "assistant", "content": PART}]]


async def test_a_second_try_has_the_files_too(room: Room) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 5}}}
    room.set_faults(
        reply_tokens=['{"n": 9}'], by_text={"Answer once more": {"reply_tokens": ['{"n": 1}']}}
    )
    sampling = Sampling(json_schema=schema)
    await complete(
        room, ChatRequest(message="hello", files=(NOTES,), sampling=sampling, owner=LOCAL_OWNER)
    )
    first, second = sent(room)
    assert first == second[:1] == [ASKED]


async def test_a_picture_is_refused_before_anything_is_kept(room: Room) -> None:
    with pytest.raises(CannotSeeError, match=r"sea\.png is a picture"):
        await room.in_flight.take_turn(
            ChatRequest(message="hello", files=(NOTES, PICTURE), owner=LOCAL_OWNER)
        )
    assert (await room.services.archive.list_sessions(owner=LOCAL_OWNER)).total == 0


LONG = Attachment(NOTES.file, "word " * 4000)


async def test_files_that_do_not_fit_are_refused_before_anything_is_kept(idle_room: Room) -> None:
    # The model is waited for, because without it nobody can count.
    with pytest.raises(FilesFullError, match=r"notes\.md \(\d+\)"):
        await idle_room.in_flight.take_turn(
            ChatRequest(message="hello", files=(LONG,), owner=LOCAL_OWNER)
        )
    assert (await idle_room.services.archive.list_sessions(owner=LOCAL_OWNER)).total == 0


async def test_files_that_fit_only_without_the_history_are_refused_before_anything_is_kept(
    room: Room,
) -> None:
    half = Attachment(NOTES.file, "word " * 2500)
    request = ChatRequest(message="hello", files=(half,), overflow="error", owner=LOCAL_OWNER)
    first = await complete(room, request)
    with pytest.raises(HistoryFullError, match="its oldest turn"):
        await room.in_flight.take_turn(replace(request, session_id=first.session_id))
    assert (await room.services.archive.last_turn(first.session_id, owner=LOCAL_OWNER)).turn == 1


async def test_a_model_that_was_fetched_by_llama_server_is_asked_whether_it_sees(
    room: Room,
) -> None:
    request = ChatRequest(message="hello", files=(PICTURE,), owner=LOCAL_OWNER)
    for modalities in ({"vision": True}, {}):
        room.set_faults(props={"modalities": modalities})
        await complete(room, request)
        (content,) = (message["content"] for message in sent(room)[-1])
        assert "image_url" in {part["type"] for part in content}


async def test_a_model_that_takes_long_to_load_says_later_that_they_do_not_fit(
    idle_room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_check, "LOAD_SECONDS", 0.0)
    idle_room.set_faults(load_held=True)
    turn = await idle_room.in_flight.take_turn(
        ChatRequest(message="hello", files=(LONG,), owner=LOCAL_OWNER)
    )
    idle_room.set_faults()
    await until(lambda: turn.is_over, "the turn is over")
    assert isinstance(turn.error, FilesFullError)


async def test_a_reply_that_cannot_be_written_is_whole_in_its_session(
    room: Room, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    save_to = SaveTo(path=str(folder / "reply.md"), folder=str(folder))
    request = ChatRequest(message="hello", save_to=save_to, owner=LOCAL_OWNER)
    folder.write_text("no folder any more")
    turn = await complete(room, request)
    reply = await turn.deliver()
    assert (reply.status, reply.reply, reply.saved_bytes) == (TurnStatus.COMPLETE, SENTENCE, None)
    (note,) = reply.notes
    assert note.startswith("The session has the reply, and no file does.")


async def test_a_place_that_has_become_a_link_is_not_followed(room: Room, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "out", tmp_path / "elsewhere.md"
    folder.mkdir()
    elsewhere.write_text("theirs")
    (folder / "reply.md").symlink_to(elsewhere)
    save_to = SaveTo(path=str(folder / "reply.md"), folder=str(folder), overwrite=True)
    await complete(room, ChatRequest(message="hello", save_to=save_to, owner=LOCAL_OWNER))
    assert elsewhere.read_text() == "theirs"


async def test_a_file_that_was_written_before_its_process_was_killed_counts(
    room: Room, tmp_path: Path
) -> None:
    path = tmp_path / "reply.md"
    path.write_text(SENTENCE)
    save_to = SaveTo(path=str(path), folder=str(tmp_path))
    turn = await complete(room, ChatRequest(message="hello", save_to=save_to, owner=LOCAL_OWNER))
    assert (await turn.deliver()).saved_bytes == len(SENTENCE)


async def test_an_empty_reply_takes_no_file_s_place(room: Room, tmp_path: Path) -> None:
    path = tmp_path / "reply.md"
    path.write_text("theirs")
    room.set_faults(reply_tokens=[" "])
    save_to = SaveTo(path=str(path), folder=str(tmp_path), overwrite=True)
    turn = await complete(room, ChatRequest(message="hello", save_to=save_to, owner=LOCAL_OWNER))
    assert path.read_text() == "theirs"
    assert any("the reply is empty" in note for note in (await turn.deliver()).notes)
