"""Which engine is meant: by the name of an entry, by what an engine lists, or as the default."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from llama_mcp.errors import LlamaMCPError, WrongSettingsError
from llama_mcp.llama_server.elsewhere.engines import EnginesElsewhere
from llama_mcp.llama_server.elsewhere.targets import target_of_settings
from llama_mcp.llama_server.model_errors import AmbiguousModelError, UnknownModelError
from llama_mcp.llama_server.ready_server import WantedServer
from llama_mcp.llama_server.remote.errors import RemoteUnreachableError
from llama_mcp.reading_settings import read_settings
from tests.fake_openai_server.engine import FakeEngine
from tests.fake_openai_server.serving import serving
from tests.support.models_file import entry, write_models

LISTED = ("small", "large-a", "large-b")
REMOTE = '[[models]]\nname = "far"\nurl = "http://127.0.0.1:9"\n'


@asynccontextmanager
async def engines_with(home: Path, **variables: str) -> AsyncIterator[EnginesElsewhere]:
    named = {f"LLAMA_MCP_{name}": text for name, text in variables.items()}
    places = {"LLAMA_MCP_HOME": str(home), "LLAMA_MCP_MODEL_PLACES": "none"}
    engines = EnginesElsewhere(read_settings(places | named), {})
    try:
        yield engines
    finally:
        await engines.aclose()


@pytest.fixture
async def at_url(tmp_path: Path) -> AsyncIterator[EnginesElsewhere]:
    async with (
        serving(FakeEngine(models=LISTED)) as place,
        engines_with(tmp_path, URL=place.url, URL_MODEL="small") as engines,
    ):
        yield engines


async def model_for(
    engines: EnginesElsewhere, *running: str, model: str | None = None, usual: str | None = None
) -> str | None:
    """Return what a turn's engine elsewhere is asked for; None for one of ours."""
    wanted = WantedServer(model, usual_model=usual)
    engine = await engines.for_turn(wanted, running)
    return None if engine is None else engine.target.name or engine.target.model


async def test_without_a_url_and_a_file_of_models_all_is_ours(tmp_path: Path) -> None:
    async with engines_with(tmp_path) as engines:
        assert not engines.may_be
        assert await model_for(engines) is None
        assert await engines.meant("anything") is None
        assert await engines.all() == []


async def test_what_is_named_is_found_in_any_case_and_by_a_beginning(
    at_url: EnginesElsewhere,
) -> None:
    asked = (None, "small", "LARGE-A", "large-b", "sm")
    found = [await model_for(at_url, model=name) for name in asked]
    assert found == ["small", "small", "large-a", "large-b", "small"]


async def test_a_beginning_of_several_names_and_a_name_of_none_are_refused(
    at_url: EnginesElsewhere,
) -> None:
    with pytest.raises(AmbiguousModelError, match="large-a, large-b"):
        await model_for(at_url, model="large")
    with pytest.raises(UnknownModelError, match="large-a"):
        await model_for(at_url, model="other")


async def test_a_model_of_ours_that_runs_can_be_named_beside_a_url(
    at_url: EnginesElsewhere,
) -> None:
    assert await model_for(at_url, "ours", model="ours") is None
    # Not even by a name with which one elsewhere begins.
    assert await model_for(at_url, "Smal", model="smal") is None
    assert await model_for(at_url, "smal", model="small") == "small"


async def test_a_session_stays_with_its_model_as_long_as_that_answers(
    at_url: EnginesElsewhere,
) -> None:
    assert await model_for(at_url, usual="large-b") == "large-b"
    assert await model_for(at_url, "ours", usual="ours") is None
    assert await model_for(at_url, usual="ours, which does not run any more") == "small"


async def test_the_same_engine_is_one_connection_for_all_who_mean_it(
    at_url: EnginesElsewhere,
) -> None:
    assert await at_url.named("small") is await at_url.default()
    assert await at_url.named("large-a") is await at_url.named("LARGE-A")


async def test_a_name_is_not_looked_for_where_nobody_answers(tmp_path: Path) -> None:
    async with engines_with(tmp_path, URL="http://127.0.0.1:9") as engines:
        with pytest.raises(RemoteUnreachableError):
            await model_for(engines, model="small")
        assert (await engines.default()) is not None


async def test_a_wrong_url_lets_no_other_model_answer(tmp_path: Path) -> None:
    async with engines_with(tmp_path, URL="nonsense") as engines:
        with pytest.raises(WrongSettingsError):
            await model_for(engines)


@pytest.mark.parametrize(("first", "found"), [(True, "far"), (False, None)])
async def test_the_first_entry_is_the_default_whichever_kind_it_is(
    tmp_path: Path, first: bool, found: str | None
) -> None:
    own = [REMOTE, entry("near", "m.gguf")]
    file = write_models(tmp_path / "models.toml", *(own if first else reversed(own)))
    async with engines_with(tmp_path, MODELS=str(file)) as engines:
        assert await model_for(engines) == found
        assert await model_for(engines, model="far") == "far"
        assert await model_for(engines, model="near") is None


async def test_an_entry_that_the_setting_names_is_the_default(tmp_path: Path) -> None:
    file = write_models(tmp_path / "models.toml", entry("near", "m.gguf"), REMOTE)
    async with engines_with(tmp_path, MODELS=str(file), MODEL_PATH="far") as engines:
        assert await model_for(engines) == "far"


async def test_a_wrong_file_of_models_is_left_to_who_needs_it(tmp_path: Path) -> None:
    file = write_models(tmp_path / "models.toml", "nonsense")
    async with engines_with(tmp_path, MODELS=str(file)) as engines:
        try:
            assert await model_for(engines, model="far") is None
        except LlamaMCPError:
            pytest.fail("whoever starts a model tells it")


def test_a_window_and_a_number_of_turns_count_only_where_the_operator_has_set_them() -> None:
    url = {"LLAMA_MCP_URL": "http://box"}
    plain = target_of_settings(read_settings(url))
    assert (plain.ctx_size, plain.parallel) == (None, None)
    said = target_of_settings(
        read_settings(url | {"LLAMA_MCP_CTX_SIZE": "4096", "LLAMA_MCP_PARALLEL": "3"})
    )
    assert (said.ctx_size, said.parallel) == (4096, 3)
