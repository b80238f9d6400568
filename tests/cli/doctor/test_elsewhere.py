"""`llama-mcp doctor` and the other commands with an engine that somebody else runs."""

import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio.to_thread
import pytest

from tests.cli.doctor.running import Examined, examine
from tests.cli.running import run
from tests.fake_openai_server.engine import FakeEngine
from tests.fake_openai_server.serving import Serving, serving
from tests.support.client_process import LlamaMCP

pytestmark = pytest.mark.anyio
T = TypeVar("T")


@pytest.fixture
def alone(tmp_path: Path) -> LlamaMCP:
    return LlamaMCP(home=tmp_path / "llama-mcp-home", variables={})


@pytest.fixture
async def place() -> AsyncIterator[Serving]:
    async with serving(FakeEngine(behaves_as="vllm", window=8192, key="right-key")) as place:
        yield place


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "engine.key"
    change(file, "right-key")
    return file


def change(file: Path, text: str | None = None, *, mode: int = 0o600) -> None:
    if text is not None:
        file.write_text(f"{text}\n")
    file.chmod(mode)


async def beside(work: Callable[[], T]) -> T:
    """Run a command while the stand-in answers."""
    return await anyio.to_thread.run_sync(work)


async def examined(llama_mcp: LlamaMCP) -> Examined:
    return await beside(partial(examine, llama_mcp))


async def test_one_that_answers_needs_no_engine_no_port_and_no_start(
    alone: LlamaMCP, place: Serving, key: Path
) -> None:
    having = alone.having(URL=place.url, URL_KEY_FILE=str(key), LLAMA_CPP_PATH="/nowhere")
    found = await examined(having)
    assert found.exit_code == 0, found.findings
    first, *_ = found.of("url", "ok")
    assert first == f"some-model at {place.url}: openai, window 8192 (told), 2 at once (guess)"
    assert "none is needed here" in found.of("engine", "ok")[0]
    assert "none is needed here" in found.of("port", "ok")[0]
    assert found.of("model", "ok")[-1] == f"the default is that of the engine at {place.url}"
    steps = found.of("start", "ok")
    assert f"nothing was started: the engine at {place.url} answers" in steps
    assert any(line.startswith("a reply of ") for line in steps)
    assert "right-key" not in json.dumps(found.findings)


@pytest.mark.posix
async def test_a_key_that_others_can_read_is_a_warning(
    alone: LlamaMCP, place: Serving, key: Path
) -> None:
    change(key, mode=0o644)
    found = await examined(alone.having(URL=place.url, URL_KEY_FILE=str(key)))
    assert f"Others can read the key in {key}." in " ".join(found.of("url", "warning"))


async def test_a_wrong_key_and_a_key_file_that_is_not_there_are_faults(
    alone: LlamaMCP, place: Serving, key: Path
) -> None:
    change(key, "wrong-key")
    wrong = await examined(alone.having(URL=place.url, URL_KEY_FILE=str(key)))
    assert "cannot be used" in wrong.of("url")[0] and "wrong-key" not in str(wrong.findings)
    missing = await examined(alone.having(URL=place.url, URL_KEY_FILE=f"{key}.none"))
    assert f"{key}.none" in missing.of("url")[0]


async def test_one_that_does_not_answer_is_a_fault(alone: LlamaMCP) -> None:
    found = await examined(alone.having(URL="http://127.0.0.1:9"))
    assert "was not reached" in found.of("url")[0] and found.exit_code == 1


async def test_a_guessed_window_is_a_warning_with_what_to_set(alone: LlamaMCP) -> None:
    async with serving(FakeEngine(behaves_as="ollama")) as place:
        found = await examined(alone.having(URL=place.url))
    assert "LLAMA_MCP_CTX_SIZE" in " ".join(found.of("url", "warning"))
    assert found.exit_code == 0, found.findings


async def test_at_a_terminal_it_is_shown_chatted_with_and_neither_stopped_nor_logged(
    alone: LlamaMCP, place: Serving, key: Path
) -> None:
    having = alone.having(URL=place.url, URL_KEY_FILE=str(key))
    answer = await beside(partial(run, having, "chat", "Say it."))
    assert answer.stdout.strip() == place.engine.replies, answer.stderr
    status = json.loads((await beside(partial(run, having, "status", "--json"))).stdout)
    assert status["status"]["engine"]["kind"] == "remote"
    shown = (await beside(partial(run, having, "status"))).stdout
    assert shown.startswith("ready  some-model") and place.url in shown
    listed = (await beside(partial(run, having, "models"))).stdout
    assert "some-model" in listed and "remote" in listed
    stopped = await beside(partial(run, having, "stop"))
    assert stopped.returncode == 1 and "somebody else runs" in stopped.stderr
    for words in (("logs",), ("logs", "-f")):
        logged = await beside(partial(run, having, *words))
        assert "no log here" in logged.stderr and logged.returncode == 0
