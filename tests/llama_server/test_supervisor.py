"""The supervisor: start, join, refuse, stop, and a llama-server for a turn."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import TaskGroup

from llama_mcp.llama_server.errors import (
    AlreadyRunningError,
    InUseError,
    NotRunningError,
    ReplaceFailedError,
    StartInterruptedError,
    StillLoadingError,
    UnreadableRunError,
)
from llama_mcp.llama_server.runs.run import Run, current_run
from llama_mcp.llama_server.status import LaunchArguments, ServerState, ServerStatus
from llama_mcp.llama_server.supervisor import Supervisor
from llama_mcp.settings import Settings
from tests.fake_llama_server.install import install_fake, set_faults
from tests.support.processes import is_gone, until

pytestmark = pytest.mark.posix  # not tried with the batch file that is the stand-in on Windows


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
    """Stands for one llama-mcp process: its supervisor and how many of its turns are open."""

    def __init__(self, settings: Settings, tasks: TaskGroup) -> None:
        self.open_turns = 0
        self.supervisor = Supervisor(settings, {}, tasks, count_open_turns=lambda: self.open_turns)


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
    async with anyio.create_task_group() as tasks:
        process = Process(settings, tasks)
        try:
            yield process
        finally:
            await process.supervisor.aclose()
            await until(lambda: not process.supervisor.attachment.reap_keepers(), "its keepers end")
            tasks.cancel_scope.cancel()


@pytest.fixture
async def first(settings: Settings) -> AsyncIterator[Process]:
    async with process_of(settings) as process:
        yield process


@pytest.fixture
async def second(settings: Settings) -> AsyncIterator[Process]:
    async with process_of(settings) as process:
        yield process


async def test_before_a_start_there_is_no_llama_server_and_a_turn_is_told_so(
    first: Process,
) -> None:
    assert (await first.supervisor.status()).state is ServerState.STOPPED
    with pytest.raises(NotRunningError):
        await first.supervisor.ready_server(1)


async def test_a_second_process_joins_what_runs_with_the_same_settings(
    first: Process, second: Process
) -> None:
    started, joined = await start(first.supervisor), await start(second.supervisor)
    assert started.state is ServerState.READY and started.already_running is False
    assert joined.already_running is True and joined.pid == started.pid
    assert (await second.supervisor.status()).clients == 2


async def test_what_runs_with_other_settings_is_left_alone_unless_it_is_to_be_replaced(
    first: Process,
) -> None:
    before = await start(first.supervisor)
    with pytest.raises(AlreadyRunningError, match="ctx_size"):
        await start(first.supervisor, ctx_size=256)
    assert (await first.supervisor.status()).pid == before.pid
    after = await start(first.supervisor, ctx_size=256, replace=True)
    assert before.pid is not None and is_gone(before.pid)
    assert after.pid != before.pid and (await first.supervisor.config()).ctx_size == 256


async def test_a_stop_is_refused_while_another_process_uses_it_and_forced_all_the_same(
    first: Process, second: Process
) -> None:
    await start(first.supervisor)
    await start(second.supervisor)
    with pytest.raises(InUseError, match="1 other"):
        await first.supervisor.stop(force=False)
    assert (await first.supervisor.stop(force=True)).state is ServerState.STOPPED


async def test_a_stop_is_refused_while_turns_of_this_process_are_open(first: Process) -> None:
    await start(first.supervisor)
    first.open_turns = 2
    with pytest.raises(InUseError, match="2 reply"):
        await first.supervisor.stop(force=False)
    first.open_turns = 0
    assert (await first.supervisor.stop(force=False)).state is ServerState.STOPPED


async def test_a_turn_gets_what_llama_server_says_of_itself(
    first: Process, settings: Settings
) -> None:
    await start(first.supervisor, parallel=2, ctx_size=512)
    server = await first.supervisor.ready_server(1)
    run = current_run(settings.runs_dir)
    assert run is not None and server.serving_id == run.name
    assert server.total_slots == 2 and server.slot_ctx_size == 512 and server.notes == []


async def test_a_turn_does_not_wait_for_a_model_that_loads_for_longer_than_its_caller(
    first: Process, fake_folder: Path
) -> None:
    set_faults(fake_folder, load_forever=True)
    assert (await start(first.supervisor, wait_seconds=0)).state is ServerState.STARTING
    with pytest.raises(StillLoadingError):
        await first.supervisor.ready_server(0)
    await first.supervisor.stop(force=True)


async def test_a_replacement_that_does_not_start_brings_back_what_it_replaced(
    first: Process, fake_folder: Path
) -> None:
    await start(first.supervisor)
    other_folder = fake_folder.with_name("broken")
    broken = install_fake(other_folder, exit_during_load=1)
    with pytest.raises(ReplaceFailedError, match="exit code 1"):
        await start(first.supervisor, replace=True, llama_cpp_path=str(broken))
    server = await first.supervisor.ready_server(30)
    assert server.model == "tiny"
    assert (await first.supervisor.config()).llama_cpp_path == str(fake_folder / "llama-server")


async def test_a_stop_while_a_replacement_loads_brings_nothing_back(
    first: Process, second: Process, settings: Settings, fake_folder: Path
) -> None:
    await start(first.supervisor)
    set_faults(fake_folder, load_seconds=600)

    async def replace() -> None:
        with pytest.raises(StartInterruptedError):
            await start(first.supervisor, replace=True, ctx_size=256)
        ended.set()

    ended = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(replace)
        await until(lambda: is_loading(settings), "the replacement loads")
        stopped = await second.supervisor.stop(force=True)
        await ended.wait()
    assert stopped.state is ServerState.STOPPED
    assert (await first.supervisor.status()).state is ServerState.STOPPED


def is_loading(settings: Settings) -> bool:
    run = current_run(settings.runs_dir)
    return isinstance(run, Run) and run.launch.config.ctx_size == 256 and run.state() is not None


async def test_a_process_that_closes_gives_back_its_lease_and_the_last_one_ends_the_run(
    first: Process, settings: Settings
) -> None:
    started = await start(first.supervisor)
    pid = started.pid
    assert pid is not None
    async with process_of(settings) as last:
        await start(last.supervisor)
        await first.supervisor.aclose()
        assert (await last.supervisor.status()).state is ServerState.READY
    await until(lambda: is_gone(pid), "the keeper ends what nobody uses")


async def test_a_run_that_cannot_be_read_is_named_to_whoever_needs_it_and_can_be_stopped(
    first: Process, settings: Settings
) -> None:
    started = await start(first.supervisor)
    run = current_run(settings.runs_dir)
    assert run is not None
    (run.folder / "launch.json").write_text("{")
    for call in (first.supervisor.config(), first.supervisor.ready_server(1)):
        with pytest.raises(UnreadableRunError, match=f"pid {started.pid}.*{run.name}"):
            await call
    assert (await first.supervisor.stop(force=False)).state is ServerState.STOPPED
