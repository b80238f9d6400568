"""Files that are sent with a message, and replies that go to a file, on real engines."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp.types import CallToolResult, ResourceLink

from tests.fake_llama_server.install import install_fake, received_requests, set_faults
from tests.fake_llama_server.running import CHAT
from tests.files.documents.samples import docx, pdf
from tests.support.client_process import Connection, LlamaMCP, text_of
from tests.support.png import png_of
from tests.support.tiny_model import write_tiny_model
from tests.support.tiny_projector import write_tiny_projector

# The tiny model has about one token for each character.
NOTES = "".join(f"line {number}\n" for number in range(1, 31))
SHORT: dict[str, Any] = {"max_tokens": 12, "temperature": 0}
# A reply that does not end until it is let go.
HELD: dict[str, Any] = {"reply_tokens": ["One", " two"], "hold_at_token": 1}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder that is open to callers."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "notes.md").write_text(NOTES)
    return folder


@pytest.fixture
def with_files(llama_mcp: LlamaMCP, folder: Path) -> LlamaMCP:
    return llama_mcp.having(FILE_DIRS=str(folder), SAVE_DIRS=str(folder))


@pytest.fixture
async def connection(with_files: LlamaMCP) -> AsyncIterator[Connection]:
    async with with_files.connect() as connection:
        yield connection


async def last_turn(connection: Connection, session_id: str) -> dict[str, Any]:
    page = await connection.call("read_session", session_id=session_id)
    turn: dict[str, Any] = page["turns"][-1]
    return turn


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_a_session_goes_on_from_its_files_byte_by_byte(
    with_files: LlamaMCP, folder: Path, engine: str
) -> None:
    async with with_files.having(LLAMA_CPP_PATH=engine).connect() as connection:
        first = await connection.call("chat", message="Sum up.", files=["notes.md"], **SHORT)
        (folder / "notes.md").write_text("changed since")
        session = {"session_id": first["session_id"]}
        second = await connection.call("chat", message="And?", **session, **SHORT)
        fork = await connection.call("fork_session", at_turn=1, **session)
        forked = await connection.call(
            "chat", message="And?", session_id=fork["session_id"], **SHORT
        )

    assert first["usage"]["prompt_tokens"] > len(NOTES)
    # All but the new turn was kept: what was sent comes from the archive.
    for usage in (second["usage"], forked["usage"]):
        assert usage["cached_tokens"] >= first["usage"]["prompt_tokens"] - 1
    assert forked["reply"] == second["reply"]


async def test_documents_pages_and_old_texts_reach_the_model_as_their_text(
    with_files: LlamaMCP, folder: Path, fake_folder: Path
) -> None:
    (folder / "paper.pdf").write_bytes(pdf("Words of a paper"))
    (folder / "letter.docx").write_bytes(docx("Words of a letter"))
    (folder / "page.html").write_text("<!doctype html><p>Words of a page</p>")
    (folder / "mail.txt").write_text("Words of a mail", encoding="utf-16")
    (folder / "alt.txt").write_text("Wörter aus früherer Zeit, schön und größer", encoding="cp1252")
    files = ["paper.pdf", "letter.docx", "page.html", "*.txt"]
    fake = install_fake(fake_folder)
    async with with_files.having(LLAMA_CPP_PATH=str(fake)).connect() as connection:
        reply = await connection.call("chat", message="Compare them.", files=files)
        transcript = await last_turn(connection, reply["session_id"])
    (sent,) = [one for one in received_requests(fake_folder) if one["path"] == CHAT]
    asked = sent["body"]["messages"][-1]["content"]
    for of in ("a paper", "a letter", "a page", "a mail"):
        assert f"Words of {of}" in asked
    assert "Wörter aus früherer Zeit, schön und größer" in asked
    assert "<p>" not in asked
    assert len(transcript["files"]) == 5


async def test_a_transcript_tells_names_lines_sizes_and_sums_and_no_content(
    connection: Connection,
) -> None:
    chat = await connection.call("chat", message="Hm?", files=["notes.md:3-4"], **SHORT)
    result = await connection.result("read_session", session_id=chat["session_id"])
    uri = f"llama://sessions/{chat['session_id']}"
    shown = [text_of(result), await connection.read(uri), await connection.read(f"{uri}.json")]

    (turn,) = (result.structured_content or {})["turns"]
    (file,) = turn["files"]
    assert (file["name"], file["first_line"], file["last_line"]) == ("notes.md", 3, 4)
    for text in (*shown, json.dumps(turn)):
        assert "notes.md" in text and file["sha256"] in text
        assert "line 3" not in text
    listed = await connection.call("list_sessions", query="line")
    assert "sessions" not in listed


async def test_what_does_not_fit_leaves_no_session_and_is_told_with_its_figures(
    connection: Connection, folder: Path
) -> None:
    (folder / "long.md").write_text(NOTES * 8)
    await connection.call("start_llama_server")
    refusal = await connection.refusal("chat", message="Sum up.", files=["long.md", "notes.md"])

    assert "at most 896 of the window's 1024 are free" in refusal
    assert "long.md (" in refusal and "notes.md (" in refusal and "files of any size" in refusal
    assert (await connection.call("list_sessions"))["total"] == 0


async def test_a_file_of_more_bytes_than_any_window_is_not_read(
    connection: Connection, folder: Path
) -> None:
    text = b"a line of the log\n" * 60_000
    (folder / "medium.log").write_bytes(text)
    with (folder / "big.log").open("wb") as file:
        file.write(text)
        file.truncate(2**31)  # takes no disk
    for name in ("medium.log", "big.log"):
        refusal = await connection.refusal("chat", message="Sum up.", files=[name])
        assert "files of any size" in refusal
    assert (await connection.call("list_sessions"))["total"] == 0


async def test_a_reply_that_goes_to_a_file_costs_its_caller_one_line(
    connection: Connection, folder: Path
) -> None:
    arguments: dict[str, Any] = {"message": "Write.", "save_to": "out/reply.md", **SHORT}
    result = await connection.result("chat", **arguments)
    told = result.structured_content or {}
    path = folder / "out" / "reply.md"
    turn = await last_turn(connection, told["session_id"])

    assert path.read_text() == turn["reply"] != ""
    # It is the user's: not private, as all else is that llama-mcp makes.
    (folder / "theirs").mkdir()
    (folder / "theirs" / "file").touch()
    assert path.stat().st_mode == (folder / "theirs" / "file").stat().st_mode
    assert path.parent.stat().st_mode == (folder / "theirs").stat().st_mode
    assert told["saved_to"] == {"path": str(path), "size_bytes": path.stat().st_size}
    assert "reply" not in told
    line, *notes = text_of(result).splitlines()
    assert f"saved_to={path}" in line
    assert all(note.startswith("Note: ") for note in notes)

    refusal = await connection.refusal("chat", **arguments)
    assert "overwrite=true" in refusal
    again = await connection.call("chat", overwrite=True, **arguments | {"message": "Other."})
    assert path.read_text() == (await last_turn(connection, again["session_id"]))["reply"]
    assert names_in(path.parent) == {"reply.md"}


async def test_a_reply_is_written_when_nobody_waits_for_it(
    connection: Connection, folder: Path
) -> None:
    part = await connection.call(
        "chat", message="Go.", save_to="late.md", max_tokens=300, temperature=0, wait_seconds=0
    )
    assert "reply" not in part or part["reply"] == ""
    end = await connection.call_until(
        lambda reply: reply["status"] == "complete",
        "wait_for_reply",
        session_id=part["session_id"],
        wait_seconds=1,
    )
    turn = await last_turn(connection, part["session_id"])
    assert (folder / "late.md").read_text() == turn["reply"]
    assert end["saved_to"]["path"] == str(folder / "late.md")


async def test_a_file_that_comes_meanwhile_is_kept_and_so_is_the_reply(
    with_files: LlamaMCP, folder: Path, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, **HELD)
    async with with_files.having(LLAMA_CPP_PATH=str(fake)).connect() as connection:
        part = await connection.call("chat", message="Go.", save_to="late.md", wait_seconds=0)
        (folder / "late.md").write_text("mine")
        set_faults(fake_folder, reply_tokens=HELD["reply_tokens"])
        end = await connection.call_until(
            lambda reply: reply["status"] == "complete", "wait_for_reply", **session_of(part)
        )
        turn = await last_turn(connection, part["session_id"])
    assert (folder / "late.md").read_text() == "mine"
    assert end["reply"] == turn["reply"] and "saved_to" not in end
    (note,) = [note for note in end["notes"] if "late.md" in note]
    assert note.startswith("The session has the reply, and no file does.")


async def test_a_reply_that_is_stopped_is_written_nowhere(
    with_files: LlamaMCP, folder: Path, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, **HELD)
    async with with_files.having(LLAMA_CPP_PATH=str(fake)).connect() as connection:
        part = await connection.call("chat", message="Go.", save_to="never.md", wait_seconds=0)
        end = await connection.call("cancel_reply", **session_of(part))
    assert end["status"] == "cancelled"
    assert any("Nothing was written to" in note for note in end["notes"])
    assert names_in(folder) == {"notes.md"}


async def test_a_picture_changes_the_reply_and_a_blind_model_refuses_it(
    with_files: LlamaMCP, folder: Path, tmp_path: Path, engine: str
) -> None:
    model = write_tiny_model(tmp_path / "tiny-vl.gguf")
    write_tiny_projector(tmp_path / "mmproj-tiny-vl-f32.gguf")
    for name, seed in (("one.png", 1), ("two.png", 2)):
        (folder / name).write_bytes(png_of(40, 30, seed))
    seeing = with_files.having(LLAMA_CPP_PATH=engine, MODEL_PATH=str(model), EXTRA_ARGS="")
    drawn: dict[str, Any] = {"max_tokens": 40, "temperature": 1.5, "seed": 1}
    async with seeing.connect() as connection:
        replies = [
            await connection.call("chat", message="See?", files=[name], **drawn)
            for name in ("one.png", "two.png", "one.png")
        ]
        again = await connection.call(
            "chat", message="And?", session_id=replies[1]["session_id"], **SHORT
        )
        await connection.call("start_llama_server", extra_args=["--no-mmproj"], replace=True)
        refusal = await connection.refusal("chat", message="See?", files=["one.png"])
        blind = await connection.call(
            "chat", message="And?", session_id=replies[0]["session_id"], **SHORT
        )

    one, two, same = (reply["reply"] for reply in replies)
    assert one == same != two
    assert again["usage"]["cached_tokens"] >= replies[1]["usage"]["prompt_tokens"] - 1
    assert "one.png is a picture" in refusal and "reads text only" in refusal
    assert any("cannot see" in note for note in blind["notes"])


async def test_a_long_reply_comes_with_a_link_to_its_session(with_files: LlamaMCP) -> None:
    async with with_files.having(CTX_SIZE="12000").connect() as connection:
        result = await connection.result("chat", message="Go on.", max_tokens=9000)
        link = links_in(result)
        short = await connection.result("chat", message="Go on.", max_tokens=9)
        assert len((result.structured_content or {})["reply"]) > 8000
        assert [str(each.uri) for each in link] == [
            f"llama://sessions/{(result.structured_content or {})['session_id']}"
        ]
        assert links_in(short) == []
        assert (result.structured_content or {})["reply"] in await connection.read(str(link[0].uri))


def links_in(result: CallToolResult) -> list[ResourceLink]:
    return [each for each in result.content if isinstance(each, ResourceLink)]


def session_of(reply: dict[str, Any]) -> dict[str, Any]:
    return {"session_id": reply["session_id"]}
