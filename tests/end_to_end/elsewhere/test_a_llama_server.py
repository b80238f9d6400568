"""A client talks with a llama-server that somebody else has started, and is told whose it is."""

from pathlib import Path
from typing import Any

from tests.conftest import LONGEST_WINDOW
from tests.support.client_process import LlamaMCP, text_of


def is_idle(status: dict[str, Any]) -> bool:
    return bool(status["slots"]["busy"] == 0)


async def test_a_conversation_has_receipts_an_archive_and_a_prompt_cache(
    alone: LlamaMCP, somebodys_url: str
) -> None:
    async with alone.having(URL=somebodys_url).connect() as connection:
        first = await connection.call("chat", message="Count the apples.", max_tokens=8)
        session = {"session_id": first["session_id"]}
        second = await connection.call("chat", message="And the pears.", max_tokens=8, **session)
        assert (first["status"], second["status"]) == ("complete", "complete")
        assert second["context"]["limit"] == LONGEST_WINDOW
        assert second["usage"]["cached_tokens"] > first["usage"]["prompt_tokens"] // 2
        page = await connection.call("read_session", **session)
        assert [turn["reply"] for turn in page["turns"]] == [first["reply"], second["reply"]]
        assert {turn["model"] for turn in page["turns"]} == {"tiny-there"}
    assert not (alone.home / "runs").exists()


async def test_a_status_says_what_is_known_of_it_and_figures_come_as_of_ours(
    alone: LlamaMCP, somebodys_url: str
) -> None:
    async with alone.having(URL=somebodys_url).connect() as connection:
        await connection.call("chat", message="Hello.", max_tokens=4)
        status = await connection.call("status")
        assert (status["state"], status["model"]) == ("ready", "tiny-there")
        assert (status["engine"]["kind"], status["url"]) == ("remote", somebodys_url)
        assert status["slots"] == {"total": 2, "busy": 0}
        assert status["remote"]["server"] == "llama-server"
        assert (status["remote"]["ctx_size"], status["remote"]["ctx_size_source"]) == (
            LONGEST_WINDOW,
            "told",
        )
        assert status["remote"]["token_counts"] == "exact"
        assert not status.get("notes")
        metrics = await connection.call("server_metrics")
        assert metrics["model"] == "tiny-there" and metrics["generated_tokens_total"] >= 4
        assert metrics["own_turns"][0]["turns"] == 1
        scraped = await connection.client.read_resource("llama://server/metrics.prom")
        assert "llamacpp:tokens_predicted_total" in str(getattr(scraped.contents[0], "text", ""))
        assert "llama_mcp_up 1.0" in str(getattr(scraped.contents[0], "text", ""))
        config = await connection.call("get_config")
        assert (config["url"], config["url_model"], config["ctx_size"]) == (
            *(somebodys_url, "tiny-there"),
            LONGEST_WINDOW,
        )
        (model,) = [
            each
            for each in (await connection.call("list_models"))["models"]
            if each["source"] == "remote"
        ]
        assert (model["model"], model["running"]) == ("tiny-there", True)


async def test_nothing_of_it_is_started_stopped_or_logged_here(
    alone: LlamaMCP, somebodys_url: str
) -> None:
    async with alone.having(URL=somebodys_url).connect() as connection:
        for tool in ("start_llama_server", "stop_llama_server"):
            told = await connection.refusal(tool)
            assert "somebody else runs" in told and somebodys_url in told
        assert "somebody else" in await connection.refusal("stop_llama_server", model="tiny-there")
        log = await connection.call("server_log")
        assert "no log here" in log["note"] and not log.get("lines")
        assert (await connection.call("status"))["state"] == "ready"


async def test_a_reply_that_is_cancelled_frees_its_slot(
    alone: LlamaMCP, somebodys_url: str
) -> None:
    async with alone.having(URL=somebodys_url).connect() as connection:
        begun = await connection.call("chat", message="Go on.", max_tokens=30000, wait_seconds=0)
        session = {"session_id": begun["session_id"]}

        def is_busy(status: dict[str, Any]) -> bool:
            return bool(status["slots"]["busy"])

        await connection.call_until(is_busy, "status")
        cancelled = await connection.call("cancel_reply", **session)
        assert cancelled["status"] == "cancelled"
        await connection.call_until(is_idle, "status")


async def test_a_job_over_files_is_done_by_it(
    alone: LlamaMCP, somebodys_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.txt").write_text(f"Text {number}. " * 20)
    having = alone.having(URL=somebodys_url, FILE_DIRS=str(folder))
    async with having.connect() as connection:
        result = await connection.call(
            "run_on_files",
            files=[str(folder / "*.txt")],
            instruction="Say a word.",
            each=True,
            max_tokens=8,
        )
        assert result["status"] == "complete" and len(result["results"]) == 3


async def test_one_that_does_not_answer_is_told_and_nothing_else_answers(alone: LlamaMCP) -> None:
    gone = "http://127.0.0.1:9"  # discard: nobody listens there
    async with alone.having(URL=gone).connect() as connection:
        told = await connection.refusal("chat", message="Hello.")
        assert gone in told and "was not reached" in told
        status = await connection.result("status")
        assert status.structured_content is not None
        assert status.structured_content["state"] == "unresponsive"
        assert "was not reached" in text_of(status) and "Somebody else runs it" in text_of(status)
        sessions = await connection.call("list_sessions")
        assert not sessions.get("sessions")
