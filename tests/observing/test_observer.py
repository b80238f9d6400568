"""Figures put together from the rooms, also when one of them cannot tell its own."""

from pathlib import Path

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.llama_server.status import ServerState
from llama_mcp.opening import open_services
from llama_mcp.settings import Settings


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
