"""The start lock, and what only its holder can do: launch and end runs."""

import socket
from pathlib import Path

import anyio
import pytest

from llama_mcp.llama_server.errors import PortTakenError, StartFailedError, StateFolderError
from llama_mcp.llama_server.runs import keeper_process
from llama_mcp.llama_server.runs.attachment import Attachment, Lease, count_clients
from llama_mcp.llama_server.runs.run import current_run
from llama_mcp.llama_server.runs.run_state import UnreadableState, read_run_state
from llama_mcp.llama_server.runs.start_lock import StartLock
from llama_mcp.llama_server.status import ServerState
from tests.llama_server.runs.launches import (
    crash,
    launch_of,
    launched,
    lives,
    pid_of,
    until_state,
)
from tests.support.processes import until


async def test_a_launch_runs_while_its_lease_is_held_and_an_end_leaves_no_process(
    lock: StartLock, attachment: Attachment
) -> None:
    async with lock.hold() as exclusive:
        run = await exclusive.launch(launch_of())
        assert count_clients(run) == 1 and attachment.count_others(run) == 0
        assert (await read_run_state(run)).state is ServerState.STARTING
        pid = pid_of(run)
        await exclusive.end(run)
    assert not lives(pid) and count_clients(run) == 0
    assert (await read_run_state(run)).state is ServerState.STOPPED


async def test_a_lease_that_is_given_back_lets_the_keeper_end_what_nobody_uses(
    lock: StartLock, attachment: Attachment
) -> None:
    run = await launched(lock, launch_of())
    await attachment.release()
    await until_state(run, ServerState.STOPPED)
    assert run.is_unused() and not run.is_stop_requested()


async def test_a_launch_on_a_port_that_is_taken_is_refused_and_leaves_no_run(
    lock: StartLock, runs_dir: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with lock.hold() as exclusive:
            with pytest.raises(PortTakenError, match="pid|process"):
                await exclusive.launch(launch_of(port=taken.getsockname()[1]))
    assert current_run(runs_dir) is None


async def test_a_keeper_that_is_slow_is_not_taken_for_a_fault_of_the_installation(
    lock: StartLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_process, "KEEPER_START_SECONDS", 0.0)
    with pytest.raises(StartFailedError, match="killed or slow"):
        await launched(lock, launch_of())


async def test_the_lock_is_held_by_one_at_a_time(lock: StartLock, runs_dir: Path) -> None:
    other = StartLock(runs_dir, Attachment(runs_dir))
    order = []

    async def wait_for_lock() -> None:
        async with other.hold():
            order.append("second")

    async with anyio.create_task_group() as tasks, anyio.create_task_group(), lock.hold():
        tasks.start_soon(wait_for_lock)
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        order.append("first")
    assert order == ["first", "second"]


async def test_a_folder_that_cannot_hold_the_lock_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file in its place")
    lock = StartLock(tmp_path / "runs", Attachment(tmp_path / "runs"))
    with pytest.raises(StateFolderError, match="runs"):
        async with lock.hold():
            raise AssertionError("held")


async def test_a_run_is_joined_while_it_lives_and_not_once_it_is_ending(
    lock: StartLock, runs_dir: Path
) -> None:
    async with lock.hold() as exclusive:
        run = await exclusive.launch(launch_of())
    other = Attachment(runs_dir)
    assert await other.join(run) and await other.join(run)
    assert other.count_others(run) == 1
    await other.release()
    run.request_stop()
    assert not await other.join(run)
    await other.release()
    await until_state(run, ServerState.STOPPED)


async def test_the_end_of_a_run_that_crashed_keeps_the_record_of_the_crash(lock: StartLock) -> None:
    async with lock.hold() as exclusive:
        run = await exclusive.launch(launch_of())
        await crash(run)
        await exclusive.end(run)
    assert (await read_run_state(run)).state is ServerState.CRASHED


async def test_a_run_whose_record_is_lost_is_ended_by_proved_identity(
    lock: StartLock, attachment: Attachment
) -> None:
    async with lock.hold() as exclusive:
        run = await exclusive.launch(launch_of())
        pid = pid_of(run)
        (run.folder / "launch.json").write_text("")
        state = await attachment.current_state()
        assert isinstance(state, UnreadableState) and state.pid == pid
        assert state.state is ServerState.UNRESPONSIVE
        await exclusive.end(state.run)
        state = await attachment.current_state()
    assert isinstance(state, UnreadableState) and state.state is ServerState.STOPPED
    assert not lives(pid)


async def test_a_lease_of_a_process_that_is_gone_does_not_count(
    lock: StartLock, attachment: Attachment
) -> None:
    async with lock.hold() as exclusive:
        run = await exclusive.launch(launch_of())
        (run.leases_dir / "4711-dead").touch()
        lease = Lease(run)
        assert count_clients(run) == 2 and attachment.count_others(run) == 1
        lease.release()
        pid = pid_of(run)
        await exclusive.end(run)
    await until(lambda: not lives(pid), "the program ends")
