"""While llama-server reads a prompt, its callers see how far it is; and when the text is whole."""

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.fake_llama_server.install import install_fake, set_faults
from tests.support.client_process import LlamaMCP, Progress
from tests.support.processes import until

# The stand-in tells of no token, of half of them and of all, and counts four characters a token.
PROMPT_SECONDS = 2.0
MESSAGE = "x" * 400
SENTENCE = "The quick brown fox jumps over the lazy dog."
READING = re.compile(r"reading the prompt, (\d+) %(?:, about (\d+) s left)?")


@dataclass
class Silence(Progress):
    """Also knows how far it was before the first text."""

    silent_values: list[float] = field(default_factory=list)

    async def take(self, progress: float, total: float | None, message: str | None) -> None:
        await super().take(progress, total, message)
        if not self.messages:
            self.silent_values.append(progress)


@pytest.fixture
def reader(llama_mcp: LlamaMCP, tmp_path: Path) -> LlamaMCP:
    """A llama-server that takes its time to read a prompt."""
    fake = install_fake(tmp_path / "fake", prompt_seconds=PROMPT_SECONDS)
    return llama_mcp.having(LLAMA_CPP_PATH=str(fake))


async def test_progress_counts_the_prompt_while_it_is_read_and_carries_no_text_yet(
    reader: LlamaMCP, era: str
) -> None:
    progress = Silence()
    async with reader.connect(era) as connection:
        await connection.call("start_llama_server")
        reply = await connection.call("chat", progress, message=MESSAGE, max_tokens=100)
    prompt = reply["usage"]["prompt_tokens"]
    assert prompt // 2 in progress.silent_values
    assert max(progress.silent_values) <= prompt
    assert set(progress.totals) == {prompt + 100}
    assert progress.rises
    assert progress.values[-1] == prompt + reply["usage"]["completion_tokens"]
    assert progress.text == reply["reply"]


async def test_status_lines_say_how_far_the_prompt_is_read_and_how_long_it_takes(
    reader: LlamaMCP, tmp_path: Path
) -> None:
    progress, silence = Progress(), Progress()
    async with reader.connect() as connection:
        await connection.call("start_llama_server")
        set_faults(tmp_path / "fake", prompt_seconds=3)
        await connection.call("chat", progress, message=MESSAGE, stream="status")
        set_faults(tmp_path / "fake", prompt_seconds=0.2)
        await connection.call("chat", silence, message=MESSAGE, stream="off")
    lines = progress.messages
    halves = [found for line in lines if (found := READING.fullmatch(line)) and found[1] != "0"]
    assert halves and halves[0][1] in ("49", "50")
    # Half of it took a second and a half or more, so the rest takes about as long.
    assert halves[0][2] is not None and int(halves[0][2]) >= 1
    assert lines[-1].startswith("10 tokens: ")
    assert all(len(line) <= 200 for line in lines)
    assert progress.rises
    # With stream="off" nothing is said at all.
    assert not silence.values


async def test_all_of_the_text_is_told_before_the_reply_is_archived_and_the_result_after_it(
    llama_mcp: LlamaMCP, tmp_path: Path, era: str
) -> None:
    """Archiving is the pause that clients need between the last progress and the result."""
    fake, progress = install_fake(tmp_path / "fake", hold_at_token=3), Progress()
    results: list[dict[str, Any]] = []
    async with llama_mcp.having(LLAMA_CPP_PATH=str(fake)).connect(era) as connection:
        await connection.call("start_llama_server")

        async def chat() -> None:
            results.append(await connection.call("chat", progress, message="Go on"))

        with closing(sqlite3.connect(llama_mcp.home / "sessions.db", isolation_level=None)) as held:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(chat)
                await until(lambda: progress.text == "The quick brown", "it has begun")
                held.execute("BEGIN IMMEDIATE")
                set_faults(fake.parent)
                await until(lambda: progress.text == SENTENCE, "all of its text is told")
                assert results == []
                held.execute("ROLLBACK")
    assert results[0]["reply"] == SENTENCE and "notes" not in results[0]
    assert progress.rises
