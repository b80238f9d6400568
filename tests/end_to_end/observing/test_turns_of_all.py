"""Turns under way in one llama-mcp process, looked at and stopped from a terminal beside it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import anyio
import anyio.to_thread
import pytest

from llama_mcp.opening import open_services
from llama_mcp.sessions.recent_turns import Stage, UnderwayTurn
from llama_mcp.settings import Settings
from tests.cli.running import run
from tests.fake_llama_server.install import install_fake, set_faults
from tests.support.client_process import LlamaMCP
from tests.support.processes import PATIENCE_SECONDS, POLL_SECONDS

TOKENS = [f"{number} " for number in range(60)]
HELD = 20
Turns = dict[str, UnderwayTurn]


@pytest.fixture
def held(llama_mcp: LlamaMCP, fake_folder: Path, tmp_path: Path) -> LlamaMCP:
    """One slot; replies stop in the middle until the stand-in gets other faults."""
    fake = install_fake(fake_folder, reply_tokens=TOKENS, hold_at_token=HELD)
    (tmp_path / "work").mkdir()
    settings = {"PARALLEL": "1", "FILE_DIRS": str(tmp_path / "work")}
    return llama_mcp.having(LLAMA_CPP_PATH=str(fake), **settings)


async def terminal(llama_mcp: LlamaMCP, *arguments: str) -> "CompletedProcess[str]":
    """Run the command beside a client that goes on."""
    return await anyio.to_thread.run_sync(lambda: run(llama_mcp, *arguments))


async def turns_once(llama_mcp: LlamaMCP, condition: Callable[[Turns], bool]) -> Turns:
    """Return the turns under way by their titles, as another process sees them, once they are so.

    Not by the command: it starts anew for each look, which takes longer than what is waited for.
    """
    async with open_services(Settings(home=llama_mcp.home), {}, only_looks=True) as services:
        with anyio.fail_after(PATIENCE_SECONDS):
            while True:
                seen = await services.observer.recent_turns(owner=None)
                turns = {turn.title: turn for turn in seen.underway}
                if condition(turns):
                    return turns
                await anyio.sleep(POLL_SECONDS)


def has(turn: UnderwayTurn | None, **wanted: object) -> bool:
    """Tell whether a turn is as far as that."""
    progress = turn and turn.progress
    return all(getattr(progress, name, None) == value for name, value in wanted.items())


async def test_a_terminal_sees_how_far_each_turn_of_a_client_is_and_stops_one(
    held: LlamaMCP, fake_folder: Path
) -> None:
    async with held.connect() as connection:
        await connection.call("start_llama_server")
        for title in ("First", "Second", "Third"):
            await connection.call("chat", message=title, wait_seconds=0)
        turns = await turns_once(
            held,
            lambda turns: (
                has(turns.get("First"), stage=Stage.GENERATING, generated_tokens=HELD)
                and has(turns.get("Second"), stage=Stage.QUEUED, place=1)
                and has(turns.get("Third"), stage=Stage.QUEUED, place=2)
            ),
        )
        assert turns["First"].tail == "".join(TOKENS[:HELD])
        assert turns["First"].model == "tiny" and turns["First"].pid

        ids = {title: turn.session_id for title, turn in turns.items()}
        shown = (await terminal(held, "status")).stdout
        assert "20 tokens" in shown and "waits at place 2" in shown
        rows = json.loads((await terminal(held, "status", "--json")).stdout)["turns"]
        assert [row["title"] for row in rows] == ["First", "Second", "Third"]
        assert all(row["seconds"] >= 0 for row in rows)
        done = await terminal(held, "sessions", "cancel", ids["First"][:6])
        part = len("".join(TOKENS[:HELD]))
        assert done.returncode == 0, done.stderr
        assert done.stdout == (
            f"Stopped the reply of turn 1 of session {ids['First']}; {part} characters of it are "
            "kept.\n"
        )
        await turns_once(held, lambda turns: "First" not in turns)
        set_faults(fake_folder, reply_tokens=TOKENS)
        for title in ("Second", "Third"):
            reply = await connection.call(
                "wait_for_reply", session_id=ids[title], wait_seconds=PATIENCE_SECONDS
            )
            assert reply["status"] == "complete"
    again = run(held, "sessions", "cancel", ids["First"])
    assert again.returncode == 0 and "Nothing was stopped" in again.stdout
    data = json.loads(run(held, "sessions", "cancel", ids["Second"], "--json").stdout)
    assert data["status"] == "complete"
    unknown = run(held, "sessions", "cancel", "zzzz")
    assert unknown.returncode == 1 and "Traceback" not in unknown.stderr


async def test_how_far_a_prompt_is_read_is_seen_from_a_terminal(
    held: LlamaMCP, fake_folder: Path
) -> None:
    set_faults(fake_folder, prompt_seconds=8.0, reply_tokens=TOKENS)
    async with held.connect() as connection:
        await connection.call("start_llama_server")
        await connection.call("chat", message="x" * 400, wait_seconds=0)

        half = await turns_once(
            held,
            lambda turns: any(
                (progress := turn.progress) is not None
                and progress.prompt_tokens is not None
                and progress.prompt_tokens_read == progress.prompt_tokens // 2
                for turn in turns.values()
            ),
        )
        assert all(has(turn, stage=Stage.READING) for turn in half.values())


async def test_a_job_is_seen_with_its_pieces_and_what_they_cover(
    held: LlamaMCP, fake_folder: Path, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / "work" / f"{name}.md").write_text(f"This is {name}.\n")
    set_faults(fake_folder, by_text={"This is a.": {}}, hold_at_token=2)
    # The piece that is held may come first.
    async with held.having(PARALLEL="2").connect() as connection:
        await connection.call("start_llama_server")
        await connection.call(
            "run_on_files", files=["*.md"], instruction="Sum up", each=True, wait_seconds=0
        )
        # How many pieces there will be is a guess until all files are cut.
        turns = await turns_once(
            held, lambda turns: any(turn.job and turn.job.done for turn in turns.values())
        )
        (job,) = (turn.job for turn in turns.values())
        assert job is not None and job.done == 1
        shown = (await terminal(held, "status")).stdout
        # By then the other file may be cut.
        assert re.search(r"1 of (about )?\d+ piece", shown), shown
