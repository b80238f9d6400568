"""Which names may be said by who may name models only, beside an engine that somebody else runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from llama_mcp.llama_server.remote.errors import RemoteUnreachableError
from llama_mcp.models.errors import ModelUnusableError
from llama_mcp.observing.known_models import KnownModels
from llama_mcp.opening import open_services
from llama_mcp.reading_settings import read_settings
from tests.fake_openai_server.engine import FakeEngine
from tests.fake_openai_server.serving import serving


@asynccontextmanager
async def known_at(home: Path, url: str) -> AsyncIterator[KnownModels]:
    places = {"LLAMA_MCP_HOME": str(home), "LLAMA_MCP_MODEL_PLACES": "none"}
    async with open_services(read_settings({**places, "LLAMA_MCP_URL": url}), {}) as services:
        yield services.known_models


async def test_a_model_elsewhere_may_be_named_as_every_other_also_by_its_beginning(
    tmp_path: Path,
) -> None:
    async with (
        serving(FakeEngine(models=("org/large", "small"))) as place,
        known_at(tmp_path, place.url) as known,
    ):
        for name in ("org/large", "SMALL", "sm"):
            await known.check_is_name(name)
        with pytest.raises(ModelUnusableError, match="no model has that name"):
            await known.check_is_name("other")


async def test_that_no_model_has_a_name_is_not_said_where_nobody_answers(tmp_path: Path) -> None:
    async with known_at(tmp_path, "http://127.0.0.1:9") as known:
        with pytest.raises(RemoteUnreachableError):
            await known.check_is_name("small")
