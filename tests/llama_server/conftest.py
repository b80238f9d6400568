"""One home's runs: their folder, this process's attachment to them, and the start lock.

Also several processes of the home, each with a supervisor over the stand-in.
"""

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import TaskGroup

from llama_mcp.llama_server.engine.nvml import load_nvml
from llama_mcp.llama_server.runs.attachment import Attachment
from llama_mcp.llama_server.runs.start_lock import StartLock
from llama_mcp.llama_server.status import LaunchArguments, ServerStatus
from llama_mcp.llama_server.supervisor import Supervisor
from llama_mcp.llama_server.use import Use
from llama_mcp.settings import Settings
from tests.fake_llama_server.install import install_fake
from tests.support.processes import until


@pytest.fixture(autouse=True)
def _first_question_about_gpus() -> Iterator[None]:
    """NVML is looked for once in a process; each test is a process in that respect."""
    load_nvml.cache_clear()
    yield
    load_nvml.cache_clear()


@pytest.fixture
def runs_dir(tmp_path: Path) -> Path:
    return tmp_path / "home" / "runs"


@pytest.fixture
async def attachment(runs_dir: Path) -> AsyncIterator[Attachment]:
    attachment = Attachment(runs_dir)
    yield attachment
    await attachment.release_all()
    await until(lambda: not attachment.reap_keepers(), "every keeper leaves")


@pytest.fixture
def lock(runs_dir: Path, attachment: Attachment) -> StartLock:
    return StartLock(runs_dir, attachment)


async def no_progress(_seconds: float, _line: str) -> None:
    return


async def start(
    supervisor: Supervisor, *, replace: bool = False, wait_seconds: float = 30, **asked: Any
) -> ServerStatus:
    return await supervisor.start(
        LaunchArguments(**asked),
        replace=replace,
        wait_seconds=wait_seconds,
        timeout_seconds=60,
        progress=no_progress,
    )


class Process:
    """Stands for one llama-mcp process: its supervisor and the turns that are under way."""

    def __init__(self, settings: Settings, tasks: TaskGroup) -> None:
        self.turns: list[Use] = []
        self.supervisor = Supervisor(settings, {}, tasks, turns_underway=self._turns_underway)

    async def _turns_underway(self) -> list[Use]:
        return self.turns


@pytest.fixture
def settings(tmp_path: Path, fake_folder: Path, tiny_model: Path) -> Settings:
    return Settings(
        home=tmp_path / "home",
        llama_cpp_path=str(install_fake(fake_folder)),
        model_path=str(tiny_model),
        port=0,
        linger_seconds=0,
    )


@asynccontextmanager
async def process_of(settings: Settings) -> AsyncIterator[Process]:
    process: Process | None = None
    try:
        async with anyio.create_task_group() as tasks:
            process = Process(settings, tasks)
            yield process
            # As the services do: what still runs would connect again after the end.
            tasks.cancel_scope.cancel()
    finally:
        if process is not None:
            await process.supervisor.aclose()
            await until(lambda: not process.supervisor.attachment.reap_keepers(), "its keepers end")


@pytest.fixture
async def first(settings: Settings) -> AsyncIterator[Process]:
    async with process_of(settings) as process:
        yield process


@pytest.fixture
async def second(settings: Settings) -> AsyncIterator[Process]:
    async with process_of(settings) as process:
        yield process


@pytest.fixture
def with_library(settings: Settings, tmp_path: Path, tiny_model: Path) -> Settings:
    """A folder of models that chat, `one`, `two` and `three`, and none that is the default."""
    folder = tmp_path / "library"
    for name in ("one", "two", "three"):
        (folder / name).mkdir(parents=True)
        shutil.copy(tiny_model, folder / name / f"{name}.gguf")
    dirs = {"model_dirs": (folder,), "model_places": (), "model_path": None}
    return settings.model_copy(update=dirs)
