"""llama-server's router: every model of its folder answers by its name, with its own window."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import REAL_LLAMA_CPPS
from tests.support.client_process import LlamaMCP
from tests.support.somebodys_engine import program_of, somebodys_engine


@pytest.mark.skipif(not REAL_LLAMA_CPPS, reason="the embedded engine has no router")
async def test_two_models_of_a_router_answer_each_with_its_own_conversation(
    alone: LlamaMCP, tiny_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    for name in ("first", "second"):
        shutil.copy(tiny_model, folder / f"{name}.gguf")
    flags = ("--models-dir", str(folder), "-c", "2048", "-np", "2", "-t", "1", "--metrics")
    log = tmp_path / "router.log"
    async with (
        somebodys_engine(program_of(REAL_LLAMA_CPPS[0]), *flags, log=log) as url,
        alone.having(URL=url, URL_MODEL="first").connect() as connection,
    ):
        before = await connection.call("status")
        assert (before["state"], before["remote"]["server"]) == ("starting", "router")
        one = await connection.call("chat", message="Hello.", max_tokens=4, wait_seconds=120)
        other = await connection.call(
            "chat", message="Hello.", model="second", max_tokens=4, wait_seconds=120
        )
        again = await connection.call(
            "chat", message="More.", session_id=other["session_id"], max_tokens=4
        )
        assert {one["status"], other["status"], again["status"]} == {"complete"}
        assert again["usage"]["cached_tokens"] > 0
        page = await connection.call("read_session", session_id=other["session_id"])
        assert [turn["model"] for turn in page["turns"]] == ["second", "second"]
        status = await connection.call("status")
        assert status["remote"]["ctx_size_source"] == "told"
        assert status["slots"]["total"] == 2
        rows = (await connection.call("list_models", query="remote"))["models"]
        assert {row["model"] for row in rows} == {"first", "second"}
        metrics = await connection.call("server_metrics", model="second")
        assert metrics["model"] == "second" and metrics["generated_tokens_total"] >= 8
