"""The supervisor: start, join, refuse, stop, and a llama-server for a turn."""

import os
import time
from pathlib import Path

import anyio
import pytest

from llama_mcp.llama_server.errors import (
    AlreadyRunningError,
    InUseError,
    ReplaceFailedError,
    StartInterruptedError,
    UnreadableRunError,
)
from llama_mcp.llama_server.runs.run import Run, current_run
from llama_mcp.llama_server.status import ServerState
from llama_mcp.llama_server.use import Use
from llama_mcp.settings import Settings
from tests.fake_llama_server.install import install_fake, set_faults
from tests.llama_server.conftest import Process, process_of, start
from tests.support.processes import is_gone, until

pytestmark = pytest.mark.posix  # not tried with the batch file that is the stand-in on Windows


async def test_a_second_process_joins_what_runs_with_the_same_settings(
    first: Process, second: Process
) -> None:
    started, joined = await start(first.supervisor), await start(second.supervisor)
    assert started.state is ServerState.READY and started.already_running is False
    assert joined.already_running is True and joined.pid == started.pid
    assert (await second.supervisor.status()).clients == 2


async def test_the_keeper_goes_by_the_times_of_the_process_that_launched(
    first: Process, settings: Settings
) -> None:
    await start(first.supervisor)
    others = settings.model_copy(update={"linger_seconds": 7, "finish_seconds": 8})
    async with process_of(others) as other:
        assert (await start(other.supervisor)).already_running is True
    run = current_run(settings.runs_dir)
    assert isinstance(run, Run)
    assert (run.launch.linger_seconds, run.launch.finish_seconds) == (0, 600)


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
    first: Process, second: Process, settings: Settings
) -> None:
    await start(first.supervisor)
    await start(second.supervisor)
    run = current_run(settings.runs_dir)
    assert isinstance(run, Run)
    for lease in run.leases_dir.iterdir():
        os.utime(lease, (0, time.time() - 3 * 3600))
    with pytest.raises(InUseError) as failure:
        await first.supervisor.stop(force=False)
    told = str(failure.value)
    assert f"llama-mcp process {os.getpid()}, which last asked for it 3 h ago" in told
    assert "by force to stop it all the same: no reply is lost" in told
    await second.supervisor.ready_server()
    with pytest.raises(InUseError, match=r"last asked for it \d+ s ago"):
        await first.supervisor.stop(force=False)
    assert (await first.supervisor.stop(force=True)).state is ServerState.STOPPED


async def test_a_stop_is_refused_while_turns_are_under_way_and_names_their_sessions(
    first: Process,
) -> None:
    await start(first.supervisor)
    own = Use(session="2222-2222-2222 (Hello)", pid=os.getpid(), seconds=5)
    other = Use(session="3333-3333-3333 (Hi)", pid=4321, seconds=7200)
    queued = Use(session="4444-4444-4444 (Well)", pid=os.getpid(), seconds=4, is_waiting=True)
    first.turns = [own, other, queued]
    with pytest.raises(InUseError) as failure:
        await first.supervisor.stop(force=False)
    assert str(failure.value) == (
        "llama-server with tiny is in use: session 2222-2222-2222 (Hello) generates a reply in "
        "this llama-mcp, for 5 s; session 3333-3333-3333 (Hi) generates a reply in llama-mcp "
        "process 4321, for 2 h; session 4444-4444-4444 (Well) waits for a slot in this llama-mcp, "
        "for 4 s. Nothing was stopped. Wait for the reply or cancel the reply in the session "
        "that generates, or stop llama-server by force."
    )
    first.turns = []
    assert (await first.supervisor.stop(force=False)).state is ServerState.STOPPED


async def test_a_replacement_that_does_not_start_brings_back_what_it_replaced(
    first: Process, fake_folder: Path
) -> None:
    await start(first.supervisor)
    other_folder = fake_folder.with_name("broken")
    broken = install_fake(other_folder, exit_during_load=1)
    with pytest.raises(ReplaceFailedError, match="exit code 1"):
        await start(first.supervisor, replace=True, llama_cpp_path=str(broken))
    server = await first.supervisor.ready_server()
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
    for call in (first.supervisor.config(), first.supervisor.ready_server()):
        with pytest.raises(UnreadableRunError, match=f"pid {started.pid}.*{run.name}"):
            await call
    assert (await first.supervisor.stop(force=False)).state is ServerState.STOPPED
