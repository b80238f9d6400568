"""One home's runs: their folder, this process's attachment to them, and the start lock."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llama_mcp.llama_server.runs.attachment import Attachment
from llama_mcp.llama_server.runs.start_lock import StartLock
from tests.support.processes import until


@pytest.fixture
def runs_dir(tmp_path: Path) -> Path:
    return tmp_path / "home" / "runs"


@pytest.fixture
async def attachment(runs_dir: Path) -> AsyncIterator[Attachment]:
    attachment = Attachment(runs_dir)
    yield attachment
    await attachment.release()
    await until(lambda: not attachment.reap_keepers(), "every keeper leaves")


@pytest.fixture
def lock(runs_dir: Path, attachment: Attachment) -> StartLock:
    return StartLock(runs_dir, attachment)
