"""Somebody else's engines, and an installed llama-mcp that is told their URLs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import LONGEST_WINDOW
from tests.support.client_process import LlamaMCP
from tests.support.somebodys_engine import program_of, somebodys_engine


@pytest.fixture
def alone(tmp_path: Path) -> LlamaMCP:
    """The installed command with a home of its own, and nothing that says what it could start."""
    return LlamaMCP(home=tmp_path / "llama-mcp-home", variables={})


@pytest.fixture
async def somebodys_url(tmp_path: Path, tiny_model: Path, engine: str) -> AsyncIterator[str]:
    """A llama-server with the tiny model and two slots, started by no llama-mcp."""
    window = str(2 * LONGEST_WINDOW)
    flags = ("-c", window, "-np", "2", "-t", "1", "--metrics", "--slots", "--alias", "tiny-there")
    log = tmp_path / "somebodys.log"
    program = program_of(engine)
    async with somebodys_engine(program, "-m", str(tiny_model), *flags, log=log) as url:
        yield url
