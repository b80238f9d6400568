"""A run directory, and a lease on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from llama_mcp.keeper import run_dir
from tests.keeper.kept_run import KeptRun


@pytest.fixture
def run(tmp_path: Path) -> Iterator[KeptRun]:
    run = KeptRun(tmp_path / "run")
    yield run
    if run.keeper is not None:
        run.keeper.kill()
        run.keeper.wait()


@pytest.fixture
def lease(run: KeptRun) -> Iterator[FileLock]:
    lock = FileLock(run.folder / run_dir.LEASES / "1-abc")
    lock.acquire()
    yield lock
    lock.release()
