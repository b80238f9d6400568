"""A stand-in that is ready, for the tests of a file together, in each era of MCP."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fake_llama_server.install import install_fake
from tests.support.client_process import Connection, LlamaMCP


@pytest.fixture(scope="module")
async def shared_connection(
    shared_llama_mcp: LlamaMCP, shared_fake: Path, era: str
) -> AsyncIterator[Connection]:
    fake = install_fake(shared_fake)
    async with shared_llama_mcp.having(LLAMA_CPP_PATH=str(fake)).connect(era) as connection:
        await connection.call("start_llama_server")
        yield connection
