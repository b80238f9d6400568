"""download_model by the installed command: a whole round trip, beyond its client, and refusals."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from llama_mcp.models.starter_model import SYSTEM_PROMPT, starter_model_path
from tests.support.client_process import LlamaMCP, Progress, text_of
from tests.support.fake_hub import FakeHub, fake_hub
from tests.support.processes import until
from tests.support.raw_client import raw_client

REPO = "someone/Tiny-GGUF"
QUANTS = ("Tiny-Q4_K_M.gguf", "Tiny-Q8_0.gguf")
WHOLE = 600


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with fake_hub() as hub:
        yield hub


@pytest.fixture
def downloading(llama_mcp: LlamaMCP, hub: FakeHub, tmp_path: Path, tiny_model: Path) -> LlamaMCP:
    """A llama-mcp whose hub has the tiny model in two quants."""
    hub.add(REPO, tmp_path / "hub", {QUANTS[0]: tiny_model, QUANTS[1]: b"fetched by nobody"})
    return replace(llama_mcp, variables=llama_mcp.variables | {"HF_ENDPOINT": hub.endpoint})


def halves(llama_mcp: LlamaMCP) -> list[Path]:
    cache = llama_mcp.home.parent / "user-home" / ".cache" / "huggingface" / "hub"
    return list(cache.glob("*/blobs/*.downloadInProgress"))


async def test_a_model_is_downloaded_started_by_name_and_talked_to(
    downloading: LlamaMCP, hub: FakeHub
) -> None:
    progress = Progress()
    async with downloading.connect() as connection:
        download = await connection.call("download_model", progress, model=REPO, wait_seconds=WHOLE)
        assert download["state"] == "complete" and download["quant"] == "Q4_K_M"
        assert [other["quant"] for other in download["other_quants"]] == ["Q8_0"]
        assert progress.rises and progress.messages
        listed = await connection.call("list_models", query="huggingface")
        (row,) = listed["models"]
        for model in (row["model"], f"{REPO}:Q4_K_M", download["model_path"]):
            await connection.call(
                "start_llama_server", model_path=model, replace=True, wait_seconds=WHOLE
            )
            config = await connection.call("get_config")
            assert config["model_path"] == download["model_path"]
        reply = await connection.call("chat", message="Hi", max_tokens=4, wait_seconds=WHOLE)
        assert reply["status"] == "complete"


@pytest.mark.slow
async def test_the_starter_model_comes_from_the_hub_and_knows_the_capital_of_france(
    llama_mcp: LlamaMCP, hub: FakeHub, tmp_path: Path
) -> None:
    starter = starter_model_path()
    assert starter is not None
    hub.add("HuggingFaceTB/SmolLM2-135M-Instruct-GGUF", tmp_path, {starter.name: starter})
    having = replace(llama_mcp, variables=llama_mcp.variables | {"HF_ENDPOINT": hub.endpoint})
    asked: dict[str, Any] = {"wait_seconds": WHOLE}
    async with having.connect() as connection:
        address = f"{hub.endpoint}/HuggingFaceTB/SmolLM2-135M-Instruct-GGUF"
        download = await connection.call("download_model", model=address, **asked)
        name = "HuggingFaceTB/SmolLM2-135M-Instruct-GGUF"
        await connection.call("start_llama_server", model_path=name, **asked)
        config = await connection.call("get_config")
        assert config["model_path"] == download["model_path"]
        asked |= {"message": "What is the capital of France?", "system_prompt": SYSTEM_PROMPT}
        reply = await connection.call("chat", temperature=0, max_tokens=40, **asked)
        assert "Paris" in reply["reply"]


@pytest.mark.parametrize("ending", ["closed", "killed"])
async def test_a_download_goes_on_when_its_client_is_gone(
    downloading: LlamaMCP, hub: FakeHub, ending: str
) -> None:
    hub.pause_at = 200_000
    async with raw_client(downloading) as client:
        await client.hello()
        begun = await client.call("download_model", model=REPO, wait_seconds=0)
        assert begun["structuredContent"]["state"] == "downloading"
        await until(lambda: bool(halves(downloading)), "a half file")
        if ending == "closed":
            assert client.process.stdin is not None
            await client.process.stdin.aclose()
            await client.exit_code()
        else:
            client.process.kill()
    hub.go_on.set()
    async with downloading.connect() as connection:
        download = await connection.call("download_model", model=REPO, wait_seconds=WHOLE)
        assert download["state"] == "complete"
    assert [one.first_byte for one in hub.fetches()] == [0]


async def test_two_llama_mcps_that_are_asked_at_once_fetch_it_once(
    downloading: LlamaMCP, hub: FakeHub
) -> None:
    states = []

    async def download(model: str) -> None:
        async with downloading.connect() as connection:
            result = await connection.call("download_model", model=model, wait_seconds=WHOLE)
            states.append(result["state"])

    async with anyio.create_task_group() as tasks:
        for model in (REPO, REPO, f"{REPO}:Q4_K_M"):
            tasks.start_soon(download, model)
    assert states == ["complete"] * 3
    assert [one.first_byte for one in hub.fetches()] == [0]


async def test_a_download_is_cancelled_and_gone_on_with(
    downloading: LlamaMCP, hub: FakeHub
) -> None:
    hub.pause_at = 200_000
    async with downloading.connect() as connection:
        await connection.call("download_model", model=REPO, wait_seconds=0)
        await until(lambda: bool(halves(downloading)), "a half file")
        cancelled = await connection.result("download_model", model=REPO, cancel=True)
        assert "is cancelled" in text_of(cancelled) and "What has come is kept." in text_of(
            cancelled
        )
        hub.pause_at = None
        hub.go_on.set()
        whole = await connection.call("download_model", model=REPO, wait_seconds=WHOLE)
        assert whole["state"] == "complete"


async def test_what_cannot_be_downloaded_is_an_error_with_a_next_step(
    downloading: LlamaMCP, hub: FakeHub
) -> None:
    async with downloading.connect() as connection:
        for model, said in (
            ("llama3.2", "It takes `user/repo`"),
            ("no/such", "Check the spelling"),
            (f"{REPO}:Q2_K", "It has: Q4_K_M"),
        ):
            assert said in await connection.refusal("download_model", model=model)
        # A start that is given such a name says what gets it.
        missing = await connection.refusal("start_llama_server", model_path="hf.co/no/such:Q8_0")
        assert "download_model" in missing
    async with downloading.having(DOWNLOADS="off").connect() as connection:
        forbidden = await connection.refusal("download_model", model=REPO)
        assert "LLAMA_MCP_DOWNLOADS" in forbidden
    assert hub.fetches() == []
