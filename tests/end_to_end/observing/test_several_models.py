"""Several models as a client sees them: each is named, looked at, stopped and listened to alone."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.shared.exceptions import MCPError
from mcp.types import ResourceTemplateReference
from prometheus_client.parser import text_string_to_metric_families

from llama_mcp.surface.resources.uris import (
    CONFIG_OF_MODEL,
    LOG_OF_MODEL,
    METRICS_OF_MODEL,
    MODELS,
    OF_MODEL,
    PROMETHEUS,
    SLOTS_OF_MODEL,
    STATUS,
    STATUS_OF_MODEL,
    model_uri,
)
from tests.observing.test_labelled_text import check_rules
from tests.support.client_process import Connection, LlamaMCP, text_of
from tests.support.processes import PATIENCE_SECONDS, is_gone
from tests.support.raw_client import RawClient, raw_client
from tests.support.tiny_model import write_tiny_model

UPDATED = "notifications/resources/updated"
GREAT, SMALL = "größe 7B", "small"


@pytest.fixture
def several(llama_mcp: LlamaMCP, engine: str, tmp_path: Path) -> LlamaMCP:
    """A llama-mcp that may run three models; one lies deeper, under a name that no URI can hold."""
    folder = tmp_path / "models"
    (folder / "user" / "repo").mkdir(parents=True)
    write_tiny_model(folder / "user" / "repo" / f"{GREAT}.gguf", seed=1)
    write_tiny_model(folder / f"{SMALL}.gguf", seed=2)
    write_tiny_model(folder / "unused.gguf", seed=3)
    settings = {"MAX_MODELS": "3", "MODEL_DIRS": str(folder), "MODEL_PLACES": "none", "PORT": "0"}
    return llama_mcp.having(LLAMA_CPP_PATH=engine, **settings)


@pytest.fixture(params=["auto", "legacy"])
async def connection(
    several: LlamaMCP, request: pytest.FixtureRequest
) -> AsyncIterator[Connection]:
    async with several.connect(request.param) as connected:
        yield connected


async def chat_with_each(connection: Connection) -> tuple[dict[str, Any], dict[str, Any]]:
    """Have a turn with each of two models; the small one is started last."""
    great = await connection.call("chat", message="Hello", model=GREAT, max_tokens=5)
    small = await connection.call("chat", message="Hello", model=SMALL, max_tokens=7)
    return great, small


async def data(connection: Connection, template: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await connection.read(model_uri(template, name)))
    return found


async def test_each_model_answers_by_its_name_and_is_looked_at_by_it(
    connection: Connection,
) -> None:
    great, _ = await chat_with_each(connection)
    status = await connection.call("status")
    assert status["model"] == SMALL and status["state"] == "ready"
    assert {row["name"]: row["state"] for row in status["models"]} == {
        GREAT: "ready",
        SMALL: "ready",
    }
    assert all(row["memory_bytes"] and row["port"] and row["clients"] for row in status["models"])
    shown = text_of(await connection.result("status"))
    assert f"Runs: {GREAT} (ready, port " in shown and f"Runs: {SMALL} (ready" in shown

    (row,) = [row for row in status["models"] if row["name"] == GREAT]
    by_name = await connection.call("status", model="GRÖSSE 7b")
    assert (by_name["model"], by_name["port"]) == (GREAT, row["port"]) and "models" not in by_name
    config = await connection.call("get_config", model=GREAT)
    assert config["running"] and config["port"] == row["port"]
    assert not (await connection.call("get_config", model="unused"))["running"]
    metrics = await connection.call("server_metrics", model=GREAT)
    assert (metrics["model"], metrics["generated_tokens_total"]) == (GREAT, 5)
    assert (await connection.call("server_metrics"))["generated_tokens_total"] == 7
    log = await connection.call("server_log", model=GREAT)
    assert any(f"{GREAT}.gguf" in line for line in log["lines"]) and not log.get("note")
    assert log["log_path"] != (await connection.call("server_log"))["log_path"]

    listed = await connection.call("list_models")
    running = [model["model"] for model in listed["models"] if model.get("running")]
    assert len(running) == 2 and running == [m["model"] for m in listed["models"][:2]]
    # Its place in its folder, with slashes, is its name, too.
    for name in (GREAT, f"user/repo/{GREAT}"):
        assert (await data(connection, STATUS_OF_MODEL, name))["port"] == row["port"]
        assert (await data(connection, CONFIG_OF_MODEL, name))["port"] == row["port"]
        assert (await data(connection, METRICS_OF_MODEL, name))["generated_tokens_total"] == 5
        assert len((await data(connection, SLOTS_OF_MODEL, name))["slots"]) == 4
        assert f"{GREAT}.gguf" in await connection.read(model_uri(LOG_OF_MODEL, name))

    # A session goes on with its own model, though another was started last.
    again = await connection.call(
        "chat", message="More", session_id=great["session_id"], max_tokens=3
    )
    assert again["session_id"] == great["session_id"]
    assert (await connection.call("server_metrics", model=GREAT))["generated_tokens_total"] == 8


async def test_one_of_several_is_stopped_by_its_name_and_what_still_runs_is_told(
    several: LlamaMCP,
) -> None:
    async with several.connect() as connection:
        await chat_with_each(connection)
        pids = {
            name: (await connection.call("status", model=name))["pid"] for name in (GREAT, SMALL)
        }
        stopped = await connection.call("stop_llama_server", model=GREAT)
        assert (stopped["state"], stopped["model"]) == ("stopped", GREAT)
        assert [row["name"] for row in stopped["models"]] == [SMALL]
        assert f"{SMALL} runs" in stopped["message"] and is_gone(pids[GREAT])
        assert not is_gone(pids[SMALL])
        alone = await connection.call("status")
        assert (alone["state"], alone["model"], "models" in alone) == ("ready", SMALL, False)
        over = await connection.call("status", model=GREAT)
        assert over["state"] == "stopped" and f"{SMALL} runs" in over["message"]
        # Whatever never ran is stopped already.
        never = await connection.call("stop_llama_server", model="unused")
        assert never["state"] == "stopped" and "unused" in never["message"]

        started = await connection.call("start_llama_server", model_path=GREAT)
        assert started["model"] == GREAT
        assert {row["name"] for row in started["models"]} == {GREAT, SMALL}
        last = await connection.call("stop_llama_server")
        assert last["model"] == GREAT and [row["name"] for row in last["models"]] == [SMALL]
        await connection.call("start_llama_server", model_path=GREAT)
        none = await connection.call("stop_llama_server", model="all")
        assert none["state"] == "stopped" and "models" not in none and is_gone(pids[SMALL])


async def test_a_name_that_no_model_has_is_answered_with_those_that_there_are(
    several: LlamaMCP,
) -> None:
    async with several.connect() as connection:
        await chat_with_each(connection)
        looking = ("status", "get_config", "stop_llama_server", "server_metrics", "server_log")
        for tool in looking:
            told = await connection.refusal(tool, model="nonsense")
            assert "nonsense" in told and f"{GREAT} (ready)" in told and f"{SMALL} (ready)" in told
        for template in OF_MODEL:
            with pytest.raises(MCPError, match=f"{SMALL} ") as refused:
                await connection.read(model_uri(template, "nonsense"))
            assert refused.value.error.code in (-32602, -32002)
        before = (await connection.call("list_sessions"))["total"]
        assert "nonsense" in await connection.refusal("chat", message="Hi", model="nonsense")
        assert (await connection.call("list_sessions"))["total"] == before


async def test_a_model_for_which_there_is_no_room_is_refused_with_the_ways_out(
    several: LlamaMCP,
) -> None:
    async with several.having(MAX_MODELS="2").connect() as connection:
        await chat_with_each(connection)
        before = (await connection.call("list_sessions"))["total"]
        told = await connection.refusal("chat", message="Hi", model="unused", wait_seconds=0)
        assert "at most 2 models run at once" in told and GREAT in told and SMALL in told
        assert "call stop_llama_server with the name of one of them as model" in told.replace(
            "Call stop", "call stop"
        )
        assert (await connection.call("list_sessions"))["total"] == before
        await connection.call("stop_llama_server", model=SMALL)
        reply = await connection.call("chat", message="Hi", model="unused", max_tokens=3)
        assert reply["status"] == "complete"
        # Other settings of one that runs: the way out names it.
        refused = await connection.refusal("start_llama_server", model_path=GREAT, ctx_size=512)
        assert GREAT in refused and "with its name as model" in refused


async def test_why_slow_shows_the_figures_of_every_model_that_runs(several: LlamaMCP) -> None:
    async with several.connect() as connection:
        await chat_with_each(connection)
        prompt = await connection.client.get_prompt("why_slow")
    told = str(prompt.messages[0].content)
    assert f"{GREAT}: ready, up" in told and f"{SMALL}: ready, up" in told
    assert told.count(f"Turns with {GREAT}") == 1


async def test_names_of_models_complete_and_what_runs_comes_first(connection: Connection) -> None:
    await connection.call("start_llama_server", model_path=SMALL)
    for template in OF_MODEL:
        reference = ResourceTemplateReference(type="ref/resource", uri=template)

        async def complete(
            typed: str, reference: ResourceTemplateReference = reference
        ) -> list[str]:
            asked = {"name": "name", "value": typed}
            return (await connection.client.complete(reference, asked)).completion.values

        assert (await complete(""))[0] == SMALL and len(await complete("")) >= 3
        (great,) = await complete("GRÖ")
        assert great.endswith(GREAT) and await complete("nonsense") == []


async def test_prometheus_has_a_row_for_each_model_and_stays_valid(several: LlamaMCP) -> None:
    async with several.connect() as connection:
        await chat_with_each(connection)
        await connection.call("stop_llama_server", model=GREAT)
        await connection.call("start_llama_server", model_path="unused")
        text = await connection.read(PROMETHEUS)
    check_rules(text)
    found = {
        (sample.name, sample.labels.get("model")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if "quantile" not in sample.labels
    }
    up = {model: value for (name, model), value in found.items() if name == "llama_mcp_up"}
    assert up == {SMALL: 1, "unused": 1, GREAT: 0}
    assert found["llamacpp:tokens_predicted_total", SMALL] == 7
    assert found["llamacpp:tokens_predicted_total", "unused"] == 0
    assert found["llama_mcp_llama_server_resident_memory_bytes", SMALL] > 0
    assert ("llama_mcp_llama_server_uptime_seconds", GREAT) not in found
    assert found["llama_mcp_turns", GREAT] == 1 and ("llama_mcp_waiting_turns", None) in found


async def test_another_model_in_the_same_session_is_told_in_the_receipt(
    several: LlamaMCP,
) -> None:
    async with several.connect() as connection:
        first = await connection.call("chat", message="Hello", model=GREAT, max_tokens=5)
        session = {"session_id": first["session_id"], "message": "More", "max_tokens": 5}
        receipt = await connection.receipt("chat", model=SMALL, **session)
        assert receipt["receipt"]["cache_miss"].startswith(f"model changed: {GREAT} answered")
        page = await connection.call("read_session", session_id=first["session_id"])
        assert [turn["model"] for turn in page["turns"]] == [GREAT, SMALL]
        own = (await connection.call("server_metrics"))["own_turns"]
        assert {turns["model"]: turns["turns"] for turns in own} == {GREAT: 1, SMALL: 1}


async def is_told(connection: Connection, reply: dict[str, Any]) -> bool:
    """Tell whether the slots of the model tell of the turn, while it goes on."""
    report = await data(connection, SLOTS_OF_MODEL, GREAT)
    turns = [*report.get("generating", []), *report.get("waiting", [])]
    return {"session_id": reply["session_id"], "turn": 1} in [
        {name: each[name] for name in ("session_id", "turn")} for each in turns
    ]


async def test_slots_tell_of_the_turns_of_their_own_model(several: LlamaMCP) -> None:
    async with several.connect() as connection:
        await chat_with_each(connection)
        reply = await connection.call("chat", message="Go", model=GREAT, wait_seconds=0)
        with anyio.fail_after(PATIENCE_SECONDS):
            while not await is_told(connection, reply):
                # The tiny model was quicker than the look.
                reply = await connection.call("chat", message="Go", model=GREAT, wait_seconds=0)
        other = await data(connection, SLOTS_OF_MODEL, SMALL)
        assert {"generating", "waiting"}.isdisjoint(other)
        await connection.call("cancel_reply", session_id=reply["session_id"])


async def hears_of(client: RawClient, *uris: str) -> None:
    missing = set(uris)
    while missing:
        message = await client.next()
        if message.get("method") == UPDATED:
            missing.discard(message["params"]["uri"])


async def test_who_listens_to_one_model_hears_of_it_as_it_has_written_its_name(
    several: LlamaMCP,
) -> None:
    great = model_uri(STATUS_OF_MODEL, GREAT)
    by_id = model_uri(STATUS_OF_MODEL, f"user/repo/{GREAT}")
    lower = by_id.replace("%2F", "%2f").replace("%C3", "%c3")
    async with raw_client(several) as client, several.connect() as other:
        await client.hello()
        for uri in (great, by_id, lower, model_uri(LOG_OF_MODEL, GREAT)):
            await client.answer(await client.ask("resources/subscribe", uri=uri))
        await client.answer(await client.ask("tools/call", name="status", arguments={}))
        await other.call("start_llama_server", model_path=GREAT)
        await hears_of(client, great, by_id, lower, model_uri(LOG_OF_MODEL, GREAT))
        await other.call("stop_llama_server", model=GREAT)
        await hears_of(client, great, by_id, lower)


async def test_who_listens_to_the_server_hears_what_happens_to_any_model(
    several: LlamaMCP,
) -> None:
    async with several.connect("auto") as connection, several.connect() as other:
        await chat_with_each(other)
        small = model_uri(STATUS_OF_MODEL, SMALL)
        uris = [STATUS, MODELS, small]
        async with connection.client.listen(resource_subscriptions=uris) as events:
            await connection.call("status")
            await other.call("stop_llama_server", model=GREAT)
            told = set()
            with anyio.fail_after(PATIENCE_SECONDS):
                async for event in events:
                    told.add(event.uri)  # type: ignore[union-attr]  # nothing else is asked for
                    if {STATUS, MODELS} <= told:
                        break
            assert small not in told
