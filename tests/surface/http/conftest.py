"""One server for the tests of a file, where its process is not what they are about."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fake_llama_server.install import install_fake
from tests.support.client_process import LlamaMCP
from tests.support.http_process import HttpServer, serving


@pytest.fixture(scope="module")
async def shared_server(
    shared_llama_mcp: LlamaMCP, shared_fake: Path, shared_folder: Path
) -> AsyncIterator[HttpServer]:
    fake = install_fake(shared_fake)
    llama_mcp = shared_llama_mcp.having(LLAMA_CPP_PATH=str(fake))
    async with serving(llama_mcp, shared_folder / "http", ["ann", "bob", "cid"]) as server:
        yield server
