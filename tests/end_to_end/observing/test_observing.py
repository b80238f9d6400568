"""What a client sees of llama-server's work: figures, slots and log, each against what was done."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any

import anyio
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.fake_llama_server.install import install_fake, set_faults
from tests.support.client_process import Connection, LlamaMCP, text_of
from tests.support.processes import PATIENCE_SECONDS, is_gone, until

METRICS = "llama://server/metrics"
PROMETHEUS = "llama://server/metrics.prom"
SLOTS = "llama://server/slots"
LOG = "llama://server/log"
# What a machine without an NVIDIA driver cannot tell.
NO_GPU = ["gpu_memory"]


async def data(connection: Connection, uri: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await connection.read(uri))
    return found


async def chat_twice(connection: Connection) -> list[dict[str, Any]]:
    """Have two turns of one session; the second finds the first in the cache."""
    first = await connection.call("chat", message="First words", max_tokens=300)
    again = {"session_id": first["session_id"], "message": "More words"}
    return [first, await connection.call("chat", None, max_tokens=200, **again)]


def series(text: str) -> dict[str, float]:
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if "quantile" not in sample.labels
    }


async def test_every_figure_is_what_two_known_turns_must_give(
    llama_mcp: LlamaMCP, engine: str
) -> None:
    async with llama_mcp.having(LLAMA_CPP_PATH=engine).connect() as connection:
        started = await connection.call("start_llama_server")
        unused = await connection.call("server_metrics")
        assert (unused["prompt_tokens_total"], unused["generated_tokens_total"]) == (0, 0)
        assert "generated_tokens_per_second" not in unused and "own_turns" not in unused

        talked = await chat_twice(connection)
        metrics = await connection.call("server_metrics")
        page = await connection.call("read_session", session_id=talked[0]["session_id"])
        turns = page["turns"]
        usages, timings = [turn["usage"] for turn in turns], [turn["timing"] for turn in turns]
        prompt, cached, generated = (
            sum(usage.get(name, 0) for usage in usages)
            for name in ("prompt_tokens", "cached_tokens", "completion_tokens")
        )
        assert cached > 0 and generated == 500
        assert metrics["prompt_tokens_total"] == prompt - cached
        assert metrics["cached_prompt_tokens_total"] == cached
        assert metrics["generated_tokens_total"] == generated
        assert metrics["cache_hit_share"] == pytest.approx(cached / prompt, abs=0.0001)
        seconds = sum(
            usage["completion_tokens"] / timing["tokens_per_second"]
            for usage, timing in zip(usages, timings, strict=True)
        )
        overall = pytest.approx(generated / seconds, rel=0.01)
        assert metrics["generated_tokens_per_second"] == overall
        # The earlier reading was before both turns.
        assert metrics["generated_tokens_per_second_now"] == overall
        assert metrics["prompt_tokens_per_second_now"] == metrics["prompt_tokens_per_second"]
        (own,) = metrics["own_turns"]
        assert (own["model"], own["turns"], own["failures"]) == ("tiny", 2, 0)
        first_tokens = [timing["first_token_ms"] for timing in timings]
        assert own["first_token_ms"]["median"] == pytest.approx(median(first_tokens), abs=0.01)
        assert own["first_token_ms"]["p95"] == max(first_tokens)
        rates = [timing["tokens_per_second"] for timing in timings]
        assert own["tokens_per_second"]["median"] == pytest.approx(median(rates), abs=0.01)
        assert own["tokens_per_second"]["p95"] == max(rates)

        assert metrics["state"] == "ready" and metrics["model"] == "tiny"
        assert metrics["slots"] == {"total": 4, "busy": 0}
        idle = ("requests_processing", "requests_deferred", "waiting_turns")
        assert [metrics[name] for name in idle] == [0, 0, 0]
        process = psutil.Process(started["pid"])
        assert metrics["memory_bytes"] == pytest.approx(process.memory_info().rss, rel=0.1)
        assert metrics["cpu_percent"] >= 0
        assert 0 < metrics["uptime_seconds"] < PATIENCE_SECONDS
        assert metrics["missing"] == NO_GPU

        counted = ("_total", "own_turns", "missing")
        as_resource = await data(connection, METRICS)
        assert {n: v for n, v in as_resource.items() if n.endswith(counted)} == {
            n: v for n, v in metrics.items() if n.endswith(counted)
        }
        found = series(await connection.read(PROMETHEUS))
        assert found["llamacpp:tokens_predicted_total"] == generated
        assert found["llamacpp:prompt_tokens_cached_total"] == cached
        assert found["llama_mcp_turns"] == 2 and found["llama_mcp_failed_turns"] == 0
        assert found["llama_mcp_up"] == 1 and found["llama_mcp_waiting_turns"] == 0
        assert found["llama_mcp_llama_server_cpu_seconds_total"] > 0
        slots = await data(connection, SLOTS)
        used = [slot["tokens"] for slot in slots["slots"] if slot.get("tokens")]
        # The last token is generated, but need not be read again.
        assert used[-1] in (talked[1]["context"]["tokens_used"] - n for n in (0, 1))
        assert {slot["ctx_size"] for slot in slots["slots"]} == {1024}
        assert len(slots["slots"]) == 4 and "generating" not in slots


async def test_all_who_look_at_once_share_one_answer(llama_mcp: LlamaMCP) -> None:
    async with llama_mcp.connect() as connection:
        await connection.call("start_llama_server")
        uptimes: list[float] = []

        async def look() -> None:
            uptimes.append((await connection.call("server_metrics"))["uptime_seconds"])

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(look)
        # An answer is told again for a second, and a slow machine takes some to ask twenty times.
        assert len(uptimes) == 20 and len(set(uptimes)) < 10
        await when(
            lambda: connection.call("server_metrics"),
            lambda metrics: metrics["uptime_seconds"] != uptimes[0],
        )


async def test_turns_that_fail_are_counted_and_what_turns_saw_is_known_while_nothing_runs(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder)
    async with llama_mcp.having(LLAMA_CPP_PATH=str(fake)).connect() as connection:
        never = await connection.call("server_metrics")
        assert never == {"state": "stopped", "waiting_turns": 0}
        assert series(await connection.read(PROMETHEUS))["llama_mcp_up"] == 0
        await connection.call("start_llama_server")
        await connection.call("chat", message="Hello")
        set_faults(fake_folder, status={"code": 500, "body": {"error": {"message": "no"}}})
        await connection.refusal("chat", message="Hello")
        await connection.call("stop_llama_server")
        stopped = await connection.call("server_metrics")
        (own,) = stopped["own_turns"]
        assert (own["turns"], own["failures"]) == (2, 1)
        assert stopped["state"] == "stopped"
        assert {"memory_bytes", "uptime_seconds", "missing"}.isdisjoint(stopped)
        found = series(await connection.read(PROMETHEUS))
        assert (found["llama_mcp_turns"], found["llama_mcp_failed_turns"]) == (2, 1)
        assert not [name for name in found if name.startswith("llamacpp:")]


async def test_builds_that_tell_less_give_what_they_have_and_name_the_rest(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, no_metrics=True, no_slots=True)
    untold = {
        "prompt_tokens_total",
        "cached_prompt_tokens_total",
        "generated_tokens_total",
        "requests_processing",
        "requests_deferred",
        "cache_hit_share",
        "prompt_tokens_per_second",
        "prompt_tokens_per_second_now",
        "generated_tokens_per_second",
        "generated_tokens_per_second_now",
    }
    async with llama_mcp.having(LLAMA_CPP_PATH=str(fake)).connect() as connection:
        await connection.call("start_llama_server")
        metrics = await connection.call("server_metrics")
        assert set(metrics["missing"]) == {*untold, "slots", *NO_GPU}
        assert untold.isdisjoint(metrics) and metrics["memory_bytes"] > 0
        assert await data(connection, SLOTS) == {"state": "ready", "missing": ["slots"]}
        renamed = "llamacpp:tokens_predicted_total 7\nllamacpp:something_new 1\n"
        set_faults(fake_folder, metrics_text=renamed)
        # A turn makes the answer before it stale.
        await connection.call("chat", message="Hello")
        metrics = await when(
            lambda: connection.call("server_metrics"), lambda metrics: "slots" in metrics
        )
        assert metrics["generated_tokens_total"] == 7
        assert set(metrics["missing"]) == {*untold, *NO_GPU} - {"generated_tokens_total"}
        assert metrics["slots"] == {"total": 4, "busy": 0}
        assert (await connection.read(PROMETHEUS)).startswith(renamed)
        set_faults(fake_folder, metrics_text="<html>not what you think</html>")
        await connection.call("chat", message="Hello")
        text = await connection.read(PROMETHEUS)
        assert "html" not in text and series(text)["llama_mcp_turns"] == 2


async def test_slots_tell_who_generates_and_who_waits(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, hang_at_token=3)
    having = llama_mcp.having(LLAMA_CPP_PATH=str(fake), PARALLEL="1")
    async with having.connect() as connection:
        await connection.call("start_llama_server")
        ids = []
        for message in ("First", "Second", "Third"):
            reply = await connection.call("chat", message=message, wait_seconds=0)
            ids.append(reply["session_id"])
        report = await when(
            lambda: data(connection, SLOTS),
            lambda report: (
                len(report.get("waiting", [])) == 2
                and report["slots"][0].get("generated_tokens", 0) > 2
            ),
        )
        assert report["generating"] == [{"session_id": ids[0], "turn": 1}]
        assert report["waiting"] == [
            {"session_id": ids[1], "turn": 1, "place": 1},
            {"session_id": ids[2], "turn": 1, "place": 2},
        ]
        assert [slot["is_processing"] for slot in report["slots"]] == [True]
        metrics = await connection.call("server_metrics")
        assert metrics["waiting_turns"] == 2
        assert metrics["requests_processing"] == 1
        assert metrics["slots"] == {"total": 1, "busy": 1}
        for session_id in ids[::-1]:
            await connection.call("cancel_reply", session_id=session_id)
        report = await when(
            lambda: data(connection, SLOTS), lambda report: not report["slots"][0]["is_processing"]
        )
        assert "waiting" not in report and "generating" not in report


async def when(
    ask: Callable[[], Awaitable[dict[str, Any]]], condition: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """Ask until the answer is as it should become."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while not condition(answer := await ask()):
            await anyio.sleep(0.02)
    return answer


async def test_looking_lets_a_model_fall_asleep_and_does_not_wake_it(
    llama_mcp: LlamaMCP, engine: str
) -> None:
    async with llama_mcp.having(LLAMA_CPP_PATH=engine).connect() as connection:
        await connection.call("start_llama_server", extra_args=["--sleep-idle-seconds", "1"])
        reply = await connection.call("chat", message="Hello", max_tokens=5)

        async def look() -> dict[str, Any]:
            for uri in (PROMETHEUS, "llama://server/status"):
                await connection.read(uri)
            slots = await data(connection, SLOTS)
            return slots if "is_sleeping" in await connection.call("server_metrics") else {}

        await when(look, lambda slots: "is_sleeping" in slots)
        for _ in range(3):
            status = await connection.call("status")
            assert "sleeps" in status["notes"][0] and status["state"] == "ready"
            assert status["slots"] == {"total": 4, "busy": 0}
            assert await data(connection, SLOTS) == {"state": "ready", "is_sleeping": True}
            assert series(await connection.read(PROMETHEUS))["llama_mcp_sleeping"] == 1
        # The next chat wakes it, and what it counted before it slept is not lost.
        again = {"session_id": reply["session_id"], "message": "Again"}
        await connection.call("chat", None, max_tokens=5, **again)
        metrics = await connection.call("server_metrics")
        assert "is_sleeping" not in metrics and metrics["generated_tokens_total"] == 10


async def test_the_end_of_the_log_is_shown_while_it_runs_and_after_a_crash(
    llama_mcp: LlamaMCP, engine: str
) -> None:
    async with llama_mcp.having(LLAMA_CPP_PATH=engine).connect() as connection:
        nothing = await connection.result("server_log")
        note = "There is no log: no llama-server was started yet."
        assert nothing.structured_content == {"truncated": False, "note": note}
        assert "no llama-server was started yet" in text_of(nothing)
        assert await connection.read(LOG) == ""
        started = await connection.call("start_llama_server")
        running = await connection.call("server_log")
        assert running["log_path"].endswith("llama-server.log") and running["truncated"] is False
        assert any("listening on" in line for line in running["lines"])
        assert not any("\x1b" in line for line in running["lines"])
        errors = await connection.call("server_log", level="error")
        assert all(" I " not in line for line in errors.get("lines", []))
        psutil.Process(started["pid"]).kill()
        await until(lambda: is_gone(started["pid"]), "it is dead")
        assert (await connection.call("status"))["state"] == "crashed"
        # It may have said more since, and says no more now.
        log = await connection.call("server_log")
        assert log["lines"][: len(running["lines"])] == running["lines"]
        assert (await connection.read(LOG)).splitlines() == log["lines"]
        last = await connection.call("server_log", lines=1)
        assert (last["lines"], last["truncated"]) == (log["lines"][-1:], True)
        refusal = await connection.refusal("server_log", lines=1001)
        assert "lines should be less than or equal to 1000" in refusal


async def test_a_huge_log_is_shown_in_bounds_whatever_is_asked_for(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, chatty=3000)
    async with llama_mcp.having(LLAMA_CPP_PATH=str(fake)).connect() as connection:
        await connection.call("start_llama_server")
        await when(
            lambda: connection.call("server_log", lines=1),
            lambda log: "line 2999" in log["lines"][0] or "line 3000" in log["lines"][0],
        )
        log = await connection.call("server_log", lines=1000)
        assert log["truncated"] is True
        assert 100 < len(log["lines"]) <= 1000
        assert len("\n".join(log["lines"]).encode()) <= 64 * 1024


async def test_every_resource_says_its_type_for_whom_it_is_and_when_it_changed(
    llama_mcp: LlamaMCP, era: str
) -> None:
    async with llama_mcp.connect(era) as connection:
        await connection.call("start_llama_server")
        await connection.call("chat", message="Hello", max_tokens=2)
        listed = (await connection.client.list_resources()).resources
        kinds = {str(item.uri).removeprefix("llama://"): item.mime_type for item in listed}
        assert {uri: kind for uri, kind in kinds.items() if not uri.startswith("sessions/")} == {
            "server/status": "application/json",
            "server/config": "application/json",
            "server/metrics": "application/json",
            "server/metrics.prom": "text/plain; version=0.0.4",
            "server/slots": "application/json",
            "server/log": "text/plain",
            "models": "application/json",
            "sessions": "application/json",
        }
        annotations = {str(item.uri).removeprefix("llama://"): item.annotations for item in listed}
        for uri in ("server/status", "server/config", "server/log", "sessions"):
            about = annotations[uri]
            assert about is not None and about.audience and about.priority is not None
            assert about.last_modified is not None and about.last_modified.endswith("Z")
        for item in listed:
            content = (await connection.client.read_resource(str(item.uri))).contents[0]
            assert content.mime_type == item.mime_type
