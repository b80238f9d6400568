"""The start lock, and what only its holder can do: launch and end runs."""

import errno
import os
import socket
from pathlib import Path

import anyio
import pytest

from llama_mcp.llama_server.errors import PortTakenError, StartFailedError, StateFolderError
from llama_mcp.llama_server.runs import keeper_process, start_lock
from llama_mcp.llama_server.runs.attachment import Attachment
from llama_mcp.llama_server.runs.creating import state_folder_errors
from llama_mcp.llama_server.runs.leases import Lease, count_clients
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
        assert count_clients(run) == 1 and not attachment.others(run)
        assert (await read_run_state(run)).state is ServerState.STARTING
        pid = pid_of(run)
        await exclusive.end(run)
    assert not lives(pid) and count_clients(run) == 0
    assert (await read_run_state(run)).state is ServerState.STOPPED


async def test_a_lease_tells_when_llama_server_was_last_used_and_not_when_it_was_looked_at(
    lock: StartLock, attachment: Attachment
) -> None:
    run = await launched(lock, launch_of())
    (lease,) = run.leases_dir.iterdir()
    os.utime(lease, (1000, 1000))
    await attachment.current_state()
    assert lease.stat().st_mtime == 1000
    assert await attachment.join(run)
    assert lease.stat().st_mtime > 1000


async def test_a_lease_that_is_given_back_lets_the_keeper_end_what_nobody_uses(
    lock: StartLock, attachment: Attachment
) -> None:
    run = await launched(lock, launch_of())
    await attachment.release_all()
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


@pytest.mark.parametrize(
    ("number", "port", "said"),
    [
        (errno.EACCES, 80, "needs privileges that this user does not have"),
        (errno.EPERM, 1023, "Pass a port above 1023"),
        (errno.EACCES, 8080, "the system forbids it"),
        (errno.EADDRNOTAVAIL, 8080, "no address 127.0.0.1"),
        (errno.ENOBUFS, 8080, "cannot listen on 127.0.0.1 port 8080: why not"),
        (errno.EADDRINUSE, 8080, "Port 8080 is taken by"),
    ],
)
def test_a_port_that_cannot_be_had_is_told_by_what_the_system_says(
    runs_dir: Path, number: int, port: int, said: str
) -> None:
    told = str(start_lock.port_error(port, OSError(number, "why not"), runs_dir))
    assert said in told
    assert ("taken" in told) == (number == errno.EADDRINUSE)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_home_without_the_kernels_locks_is_refused(tmp_path: Path, number: int) -> None:
    told = pytest.raises(StateFolderError, match="its file system gives no locks")
    with told, state_folder_errors(tmp_path):
        raise OSError(number, os.strerror(number))


async def test_a_keeper_that_is_slow_is_not_taken_for_a_fault_of_the_installation(
    lock: StartLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_process, "KEEPER_START_SECONDS", 0.0)
    with pytest.raises(StartFailedError, match="recorded nothing for 0 s"):
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
    assert len(other.others(run)) == 1
    await other.release_all()
    run.request_stop()
    assert not await other.join(run)
    await other.release_all()
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


@pytest.mark.posix
async def test_a_lease_whose_file_was_deleted_is_taken_again_under_a_new_name(
    lock: StartLock, attachment: Attachment, runs_dir: Path
) -> None:
    run = await launched(lock, launch_of(linger_seconds=-1))
    for path in run.leases_dir.iterdir():
        path.unlink()
    assert count_clients(run) == 0
    assert await attachment.join(run)
    assert count_clients(run) == 1 and len(attachment.others(run)) == 0
    async with lock.hold() as exclusive:
        await exclusive.end(run)


async def test_a_lease_of_a_process_that_is_gone_does_not_count(
    lock: StartLock, attachment: Attachment
) -> None:
    async with lock.hold() as exclusive:
        run = await exclusive.launch(launch_of())
        (run.leases_dir / "4711-dead").touch()
        lease = Lease(run)
        assert count_clients(run) == 2 and len(attachment.others(run)) == 1
        lease.release()
        pid = pid_of(run)
        await exclusive.end(run)
    await until(lambda: not lives(pid), "the program ends")
