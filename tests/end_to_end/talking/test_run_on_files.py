"""Jobs over files as a caller has them: what they cost, how long ones are waited for, kills."""

import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp.types import ResourceLink

from tests.fake_llama_server.install import install_fake, set_faults
from tests.support.client_process import Connection, LlamaMCP, Progress, text_of
from tests.support.quick import often
from tests.support.raw_client import raw_client

PROSE = "It was a quiet day. Nobody said a word, and the river went on.\n"
SENTENCE = "The quick brown fox jumps over the lazy dog."
# What a caller may pay for a file of 30 KB, in characters.
MOST_IN, MOST_OUT = 200, 700


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder that is open to callers."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def with_files(llama_mcp: LlamaMCP, folder: Path) -> LlamaMCP:
    return llama_mcp.having(FILE_DIRS=str(folder), SAVE_DIRS=str(folder), PARALLEL="2")


@pytest.fixture
def with_fake(with_files: LlamaMCP, fake_folder: Path) -> LlamaMCP:
    fake = install_fake(fake_folder)
    return with_files.having(LLAMA_CPP_PATH=str(fake), CTX_SIZE="4096", AUTO_RESTART="true")


@pytest.fixture
async def connection(with_fake: LlamaMCP) -> AsyncIterator[Connection]:
    async with with_fake.connect() as connection:
        await connection.call("start_llama_server")
        yield connection


async def test_a_real_engine_reads_all_of_a_text_that_its_window_does_not_hold(
    with_files: LlamaMCP, folder: Path, engine: str
) -> None:
    # The tiny model has about one token for each character, and the window 1024.
    (folder / "a.md").write_text(PROSE * 40)
    async with with_files.having(LLAMA_CPP_PATH=engine).connect() as connection:
        progress = Progress()
        done = await connection.call(
            "run_on_files",
            progress,
            instruction="Sum up.",
            files=["a.md"],
            max_tokens=8,
            temperature=0,
            wait_seconds=600,
        )
    assert done["status"] == "complete", done
    coverage = done["coverage"]
    assert coverage["files"] == 1 and coverage["pieces"] > 3 and "left_out" not in coverage
    assert coverage["tokens"] > len(PROSE) * 40 / 4
    assert progress.rises
    assert any(message.startswith("piece ") for message in progress.messages)


async def test_a_file_of_30_kb_costs_its_caller_next_to_nothing(
    connection: Connection, folder: Path
) -> None:
    (folder / "report.md").write_text(PROSE * 477)
    arguments: dict[str, Any] = {
        "instruction": "Summarise this report in two sentences.",
        "files": ["report.md"],
    }
    result = await connection.result("run_on_files", **arguments)
    assert len(json.dumps({"name": "run_on_files", "arguments": arguments})) <= MOST_IN
    assert SENTENCE in text_of(result) and len(text_of(result)) <= MOST_OUT
    assert len(json.dumps(result.structured_content)) <= MOST_OUT


async def test_forty_files_are_one_call_and_one_line_when_they_are_saved(
    connection: Connection, folder: Path
) -> None:
    for number in range(40):
        (folder / f"note-{number}.md").write_text(f"Note {number}. {PROSE}")
    result = await connection.result(
        "run_on_files", instruction="Sum up.", files=["*.md"], each=True, save_to="out.jsonl"
    )
    text = text_of(result)
    assert not result.is_error and "\n" not in text, text
    assert "40 files in 40 pieces" in text and f"saved_to={folder / 'out.jsonl'}" in text
    rows = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert [row["file"] for row in rows] == [f"note-{number}.md" for number in range(40)]
    assert {row["reply"] for row in rows} == {SENTENCE}
    refused = await connection.refusal(
        "run_on_files", instruction="Sum up.", files=["*.md"], save_to="out.jsonl", each=True
    )
    assert "overwrite=true" in refused


async def test_a_long_job_is_waited_for_and_tells_each_result_once(
    connection: Connection, folder: Path, fake_folder: Path
) -> None:
    for letter in "abc":
        (folder / f"{letter}.md").write_text(f"This is {letter}.")
    set_faults(fake_folder, hold_at_token=2, by_text={"This is a.": {}})
    asked: dict[str, Any] = {"instruction": "Sum up.", "files": ["*.md"], "each": True}
    begun = await connection.call("run_on_files", wait_seconds=0, **asked)
    session = {"session_id": begun["session_id"]}
    told: list[str] = [row["file"] for row in begun.get("results", [])]
    while told != ["a.md"]:
        part = await connection.call("wait_for_reply", wait_seconds=0.1, **session)
        assert part["status"] == "in_progress" and "of 3" in part["notes"][-1]
        told += [row["file"] for row in part.get("results", [])]
    busy = await connection.refusal("chat", message="And?", **session)
    assert "still generating" in busy
    set_faults(fake_folder)
    rest = await connection.call("wait_for_reply", wait_seconds=600, **session)
    assert [row["file"] for row in rest["results"]] == ["b.md", "c.md"]
    again = await connection.call("wait_for_reply", **session)
    assert "results" not in again and "told before" in again["notes"][-1]
    page = await connection.call("read_session", **session)
    assert page["turns"][0]["reply"].count(SENTENCE) == 3


async def test_long_results_come_with_a_link_to_their_session(
    connection: Connection, folder: Path, fake_folder: Path
) -> None:
    for letter in "abc":
        (folder / f"{letter}.md").write_text(f"This is {letter}.")
    set_faults(fake_folder, reply="words " * 600)
    result = await connection.result(
        "run_on_files", instruction="Copy it.", files=["*.md"], each=True, wait_seconds=600
    )
    (link,) = [block for block in result.content if isinstance(block, ResourceLink)]
    assert (await connection.read(str(link.uri))).count("words") == 1800


async def test_a_cancelled_job_gives_what_is_finished(
    connection: Connection, folder: Path, fake_folder: Path
) -> None:
    for letter in "ab":
        (folder / f"{letter}.md").write_text(f"This is {letter}.")
    set_faults(fake_folder, hold_at_token=2, by_text={"This is a.": {}})
    asked: dict[str, Any] = {"instruction": "Sum up.", "files": ["*.md"], "each": True}
    begun = await connection.call("run_on_files", wait_seconds=0.1, save_to="out.md", **asked)
    session = {"session_id": begun["session_id"]}
    await connection.call_until(
        lambda part: "piece 2" in part["notes"][-1].lower(),
        "wait_for_reply",
        wait_seconds=0.1,
        **session,
    )
    cancelled = await connection.call("cancel_reply", **session)
    assert cancelled["status"] == "cancelled"
    assert [row["reply"] for row in cancelled["results"]] == [SENTENCE]
    assert any("Nothing was written" in note for note in cancelled["notes"])
    assert not (folder / "out.md").exists()


async def test_a_killed_llama_mcp_leaves_the_finished_pieces_and_the_same_call_goes_on(
    with_fake: LlamaMCP, folder: Path, fake_folder: Path
) -> None:
    for letter in "ab":
        (folder / f"{letter}.md").write_text(f"This is {letter}.")
    set_faults(fake_folder, hold_at_token=2, by_text={"This is a.": {}})
    keep = with_fake.having(LINGER_SECONDS="-1")
    asked: dict[str, Any] = {"instruction": "Sum up.", "files": ["*.md"], "each": True}
    async with keep.connect() as connection:
        await connection.call("start_llama_server")
    async with raw_client(keep) as client:
        await client.hello()
        meta = {"progressToken": 1}
        await client.ask("tools/call", name="run_on_files", arguments=asked, _meta=meta)
        message = ""
        while message != "piece 2 of 2":
            message = (await client.next()).get("params", {}).get("message") or ""
        client.process.send_signal(signal.Signals["SIGKILL"])
        await client.exit_code()
    set_faults(fake_folder)
    async with keep.connect() as connection:
        (session,) = (await connection.call("list_sessions"))["sessions"]
        assert session["unfinished"] == "interrupted"
        left = await connection.call("wait_for_reply", session_id=session["session_id"])
        assert left["status"] == "interrupted"
        assert [(row["file"], row["reply"]) for row in left["results"]] == [("a.md", SENTENCE)]
        *_, error, how_far = left["notes"]
        assert "make the same call again" in error and "It ended after 1 of " in how_far
        page = await connection.call("read_session", session_id=session["session_id"])
        assert page["turns"][0]["reply"] == f"## a.md\n\n{SENTENCE}"
        rest = await connection.call("run_on_files", wait_seconds=600, **asked)
        assert any("1 reply had come before" in note for note in rest["notes"])
        assert len(rest["results"]) == 2
        await connection.call("stop_llama_server", force=True)


async def test_a_crash_is_outlived(connection: Connection, folder: Path, fake_folder: Path) -> None:
    for letter in "abcd":
        (folder / f"{letter}.md").write_text(f"This is {letter}.")
    death = {"n": 2, "signal": int(signal.SIGABRT)} if hasattr(signal, "SIGABRT") else {"n": 2}
    set_faults(fake_folder, by_text={"This is b.": {"die_at_token": death}})
    done = await connection.call(
        "run_on_files", instruction="Sum up.", files=["*.md"], each=True, wait_seconds=600
    )
    assert done["status"] == "complete"
    errors = [row["file"] for row in done["results"] if "error" in row]
    assert errors == ["b.md"] and done["coverage"]["pieces"] == 3


async def test_a_job_is_asked_for_outside_the_folders_in_vain(
    connection: Connection, tmp_path: Path
) -> None:
    (tmp_path / "outside.md").write_text(PROSE)
    refused = await connection.refusal(
        "run_on_files", instruction="Sum up.", files=[str(tmp_path / "outside.md")]
    )
    assert "outside the folders" in refused


# In a soak 200 KB: 64,000 tokens, which the starter model reads in minutes on two processors.
CHAPTERS = often(130, in_a_soak=1560)


@pytest.mark.slow
@pytest.mark.timeout(3600)
async def test_the_starter_model_sums_up_a_long_text_with_nothing_left_out(
    with_files: LlamaMCP, folder: Path
) -> None:
    chapters = (
        f"Chapter {number}. On day {number} the ship reached island {number * 7}. The crew found "
        f"{number % 13} barrels of salt, and nobody complained about the weather.\n\n"
        for number in range(CHAPTERS)
    )
    text = "".join(chapters)
    (folder / "log.md").write_text(text)
    having = with_files.having(MODEL_PATH="", CTX_SIZE="2048", EXTRA_ARGS="")
    async with having.connect() as connection:
        asked: dict[str, Any] = {
            "instruction": "Summarise the text in one sentence.",
            "files": ["log.md"],
            "max_tokens": 40,
            "temperature": 0,
            "wait_seconds": 600,
        }
        done = await connection.call("run_on_files", **asked)
        session = {"session_id": done["session_id"]}
        while done["status"] in ("in_progress", "waiting"):
            done = await connection.call("wait_for_reply", wait_seconds=600, **session)
    assert done["status"] == "complete"
    coverage = done["coverage"]
    assert coverage["files"] == 1 and "left_out" not in coverage
    assert coverage["pieces"] > 2 and coverage["tokens"] > len(text) / 5
    assert done["reply"].strip()  # what a model of 135M makes of summaries is often nonsense
