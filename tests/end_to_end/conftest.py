"""A llama-mcp for the tests of a file together, and its client."""

from collections.abc import AsyncIterator

import pytest

from tests.support.client_process import Connection, LlamaMCP


@pytest.fixture(scope="module")
async def shared_connection(shared_llama_mcp: LlamaMCP) -> AsyncIterator[Connection]:
    async with shared_llama_mcp.connect() as connection:
        yield connection


@pytest.fixture
async def connection(shared_connection: Connection) -> Connection:
    """A llama-mcp that runs no llama-server."""
    await shared_connection.call("stop_llama_server")
    return shared_connection
