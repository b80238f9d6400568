"""Figures put together from the rooms, also when one of them cannot tell its own."""

from pathlib import Path

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.llama_server.status import ServerState
from llama_mcp.opening import open_services
from llama_mcp.reading_settings import read_settings
from llama_mcp.settings import Settings
from llama_mcp.turns.chat_request import ChatRequest
from tests.fake_openai_server.engine import FakeEngine
from tests.fake_openai_server.serving import serving
from tests.support.models_file import entry, write_models
from tests.support.processes import until

OWNERS = (LOCAL_OWNER, "ann")


async def test_looking_where_nothing_ever_ran_is_no_error_and_begins_no_archive(
    tmp_path: Path,
) -> None:
    async with open_services(Settings(home=tmp_path / "home"), {}) as services:
        metrics = await services.observer.metrics(owner=None)
        report = await services.observer.slots(owner=LOCAL_OWNER)
        assert not services.archive.exists()
    assert metrics.state is report.state is ServerState.STOPPED
    assert metrics.missing == report.missing == []


async def test_an_archive_that_cannot_be_read_costs_only_its_own_figures(tmp_path: Path) -> None:
    (tmp_path / "sessions.db").write_bytes(b"no database at all" * 100)
    async with open_services(Settings(home=tmp_path), {}) as services:
        metrics = await services.observer.metrics(owner=None)
    assert metrics.missing == ["own_turns"]
    assert metrics.state is ServerState.STOPPED and metrics.own_turns == []


async def test_turns_of_an_engine_elsewhere_have_no_slot_of_ours_nor_a_lease(
    tmp_path: Path,
) -> None:
    fake = FakeEngine(hangs_after=2)
    async with serving(fake) as place:
        far = f'[[models]]\nname = "far"\nurl = "{place.url}"\n'
        file = write_models(tmp_path / "models.toml", entry("near", "m.gguf"), far)
        named = {"LLAMA_MCP_HOME": str(tmp_path / "home"), "LLAMA_MCP_MODELS": str(file)}
        async with open_services(read_settings(named), {}) as services:
            requests = [ChatRequest(message="Hello", owner=owner, model="far") for owner in OWNERS]
            own, other = [await services.in_flight.take_turn(each) for each in requests]
            await until(lambda: bool(own.reply.text and other.reply.text), "both generate")
            here = await services.observer.slots(owner=LOCAL_OWNER)
            there = await services.observer.slots("far", owner=LOCAL_OWNER)
            status = await services.observer.status("far")
            for turn in (own, other):
                await turn.cancel()
    assert (here.generating, here.turns_of_others) == ([], None)
    assert [each.session_id for each in there.generating] == [own.session_id]
    assert (there.turns_of_others, status.clients) == (1, 0)
