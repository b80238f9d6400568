from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llama_mcp.sessions.archive import Archive


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "sessions.db"


@pytest.fixture
async def archive(path: Path) -> AsyncIterator[Archive]:
    archive = Archive(path)
    yield archive
    await archive.close()


@pytest.fixture
async def other(path: Path) -> AsyncIterator[Archive]:
    """The same file, as another process would have it open."""
    archive = Archive(path)
    yield archive
    await archive.close()
