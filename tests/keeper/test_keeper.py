"""The keeper as a program of its own: real children, real signals, real locks."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from llama_mcp.keeper import identity, lease_locks, log_rotation, run_dir
from tests.keeper.kept_run import KeptRun, how
from tests.support.processes import PATIENCE_SECONDS, is_gone, until

# How the keeper asks a child to end, and exit code and signal of one that was asked or killed.
if sys.platform == "win32":
    POLITE, ASKED, KILLED = "SIGINT", (0xC000013A, None), (1, None)
    KILLED_BY_PSUTIL = (signal.SIGTERM, None)
else:
    POLITE = "SIGTERM"
    ASKED, KILLED = (None, signal.SIGTERM), (None, signal.SIGKILL)
    KILLED_BY_PSUTIL = KILLED
SIGKILL = 9

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
DEAF = f"import signal; signal.signal(signal.{POLITE}, signal.SIG_IGN); {SLEEPER}"
PARENT = """
    import subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print(child.pid, flush=True)
    time.sleep(600)
"""


async def test_a_child_is_kept_while_a_lease_is_held_and_stopped_when_it_is_gone(
    run: KeptRun, lease: FileLock
) -> None:
    run.start(SLEEPER)
    await run.until_up()
    pid = run.child_pid
    assert not is_gone(pid)
    lease.release()
    ending = await run.until_over()
    assert (how(ending), ending["was_asked_to"]) == (ASKED, True)
    assert is_gone(pid)
    assert (run.folder / run_dir.UNUSED).exists()


@pytest.mark.posix  # Windows deletes no file that is open
async def test_a_lease_whose_file_somebody_deletes_is_held_all_the_same(
    run: KeptRun, lease: FileLock, tmp_path: Path
) -> None:
    run.start(SLEEPER)
    await run.until_up()
    leases = lease_locks.Leases(str(run.folder / run_dir.LEASES))
    assert leases.count_held() == 1
    assert run.keeper is not None
    shutil.rmtree(run.folder / run_dir.LEASES)
    assert leases.count_held() == 1
    with pytest.raises(subprocess.TimeoutExpired):
        run.keeper.wait(1.2)  # more than two looks at the leases
    lease.release()
    assert leases.count_held() == 0
    assert (await run.until_over())["was_asked_to"] is True


@pytest.mark.posix
async def test_records_that_somebody_deletes_are_written_again(
    run: KeptRun, lease: FileLock
) -> None:
    run.start(SLEEPER)
    await run.until_up()
    launch, state = run_dir.read_whole(str(run.folder / run_dir.LAUNCH)), run.state
    shutil.rmtree(run.folder)
    await until(lambda: run.state == state, "the state is written again")
    assert run_dir.read_whole(str(run.folder / run_dir.LAUNCH)) == launch
    assert (run.folder / run_dir.LEASES).is_dir()
    lease.release()
    assert (await run.until_over())["was_asked_to"] is True


@pytest.mark.posix
def test_where_a_file_system_has_no_locks_a_lease_counts_by_the_pid_in_its_name(
    run: KeptRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    leases = run.folder / run_dir.LEASES
    (leases / f"{os.getpid()}-abc").touch()
    (leases / "4194305-abc").touch()  # above the largest pid of any system

    def refuse(_fd: int, _how: int) -> None:
        raise OSError(errno.ENOSYS, "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert lease_locks.count_held(str(leases)) == 1


async def test_one_that_is_used_is_never_announced_as_unused_not_even_without_linger(
    run: KeptRun, lease: FileLock
) -> None:
    run.start(SLEEPER)
    await run.until_up()
    folder_changes = run.folder.stat().st_mtime_ns
    assert run.keeper is not None
    with pytest.raises(subprocess.TimeoutExpired):
        run.keeper.wait(1.2)  # more than two looks at the leases
    # Nothing came or went in the folder, so no announcement did either.
    assert run.folder.stat().st_mtime_ns == folder_changes


async def test_leases_too_short_to_be_seen_held_count_as_use(run: KeptRun) -> None:
    run.start(SLEEPER, linger_seconds=5)
    await run.until_up()
    assert run.keeper is not None
    # For longer than it lingers.
    for number in range(60):
        with FileLock(run.folder / run_dir.LEASES / f"short-{number}"):
            pass
        with pytest.raises(subprocess.TimeoutExpired):
            run.keeper.wait(0.1)
    assert not (run.folder / run_dir.UNUSED).exists()
    assert (await run.until_over())["was_asked_to"] is True


async def test_a_negative_linger_keeps_the_child_without_any_lease(run: KeptRun) -> None:
    run.start(SLEEPER, linger_seconds=-1)
    await run.until_up()
    assert run.keeper is not None
    with pytest.raises(subprocess.TimeoutExpired):
        run.keeper.wait(1.2)  # more than two looks at the leases
    (run.folder / run_dir.STOP).touch()
    assert (await run.until_over())["was_asked_to"] is True


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
async def test_a_signal_to_the_keeper_stops_the_child_first(
    run: KeptRun, lease: FileLock, name: str
) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no signals for other processes")
    run.start(SLEEPER)
    await run.until_up()
    pid = run.child_pid
    assert run.keeper is not None
    run.keeper.send_signal(signal.Signals[name])
    assert (await run.until_over())["was_asked_to"] is True
    assert is_gone(pid)


async def test_a_child_that_ignores_sigterm_is_killed(run: KeptRun, lease: FileLock) -> None:
    run.start(DEAF)
    await run.until_up()
    (run.folder / run_dir.STOP).touch()
    assert how(await run.until_over()) == KILLED


async def test_what_the_child_has_spawned_ends_with_it(run: KeptRun, lease: FileLock) -> None:
    run.start(PARENT)
    await run.until_up()
    grandchild = int((run.folder / run_dir.LOG).read_text())
    psutil.Process(run.child_pid).kill()
    ending = await run.until_over()
    assert (how(ending), ending["was_asked_to"]) == (KILLED_BY_PSUTIL, False)
    await until(lambda: is_gone(grandchild), "the grandchild ends")


@pytest.mark.skipif(sys.platform != "win32", reason="only Windows has batch files")
@pytest.mark.parametrize("program", [SLEEPER, DEAF])
async def test_a_batch_file_and_what_it_starts_end_together(
    run: KeptRun, lease: FileLock, tmp_path: Path, program: str
) -> None:
    script = tmp_path / "a b" / "llama-server.cmd"
    script.parent.mkdir()
    code = f"import os; print(os.getpid(), flush=True); {program}"
    script.write_text(f'@"{sys.executable}" -c "{code}" %*\n')
    run.start("", argv=[str(script), "--port", "1"])
    await run.until_up()
    below = int((run.folder / run_dir.LOG).read_text().split()[0])
    (run.folder / run_dir.STOP).touch()
    assert (await run.until_over())["was_asked_to"] is True
    await until(lambda: is_gone(below), "what the batch file has started ends")


async def test_a_killed_keeper_takes_its_child_with_it(run: KeptRun, lease: FileLock) -> None:
    run.start(SLEEPER)
    await run.until_up()
    pid = run.child_pid
    assert run.keeper is not None
    run.keeper.kill()
    await until(lambda: is_gone(pid), "the child ends with its keeper")


async def test_the_exit_code_of_a_child_that_fails_is_recorded(
    run: KeptRun, lease: FileLock
) -> None:
    run.start("import sys; print('no model'); sys.exit(7)")
    ending = await run.until_over()
    assert (how(ending), ending["was_asked_to"]) == ((7, None), False)
    assert (run.folder / run_dir.LOG).read_text() == "no model\n"


async def test_what_cannot_be_executed_is_recorded_with_the_systems_reason(run: KeptRun) -> None:
    run.start("", argv=["/no/such/program"])
    await run.until_over()
    assert run.state["spawn_error"]["errno"] == errno.ENOENT
    assert run.state["spawn_error"]["text"]
    assert run.state["llama_server"] is None


async def test_only_the_owner_may_read_what_a_run_leaves(run: KeptRun, lease: FileLock) -> None:
    if sys.platform == "win32":
        pytest.skip("there the access rights of the user's profile count, not modes")
    run.start("print('x')")
    await run.until_over()
    for name in (run_dir.STATE, run_dir.LOG, run_dir.LAUNCH):
        assert (run.folder / name).stat().st_mode & 0o777 == 0o600


def test_leases_of_the_dead_are_removed_and_those_of_the_living_counted(
    run: KeptRun, lease: FileLock
) -> None:
    leases = run.folder / run_dir.LEASES
    (leases / "2-dead").touch()
    assert lease_locks.count_held(str(leases)) == 1
    assert [path.name for path in leases.iterdir()] == ["1-abc"]
    assert lease_locks.count_held(str(run.folder / "nowhere")) == 0


def test_a_process_is_the_same_only_with_its_own_start_time() -> None:
    process = subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.DEVNULL)
    try:
        start = identity.process_start(process.pid)
        assert start is not None
        assert identity.is_same_process(process.pid, start)
        # A bystander that was given the pid of a process that is gone is never signalled.
        assert not identity.signal_same_process(process.pid, start + "0", SIGKILL)
        assert process.poll() is None
        assert identity.signal_same_process(process.pid, start, SIGKILL)
        assert process.wait() == (1 if sys.platform == "win32" else -SIGKILL)
        assert identity.process_start(process.pid) is None
        assert not identity.signal_same_process(process.pid, start, SIGKILL)
    finally:
        process.kill()
        process.wait()


def test_a_log_that_outgrows_its_limit_is_rotated_and_three_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "llama-server.log"
    for number in range(5):
        log.write_text(f"{number}" * 20)
        log_rotation.rotate_when_large(str(log), max_bytes=10)
        assert log.stat().st_size == 0
    kept = {path.name: path.read_text()[0] for path in tmp_path.glob("*.log.*")}
    assert kept == {
        "llama-server.log.1": "4",
        "llama-server.log.2": "3",
        "llama-server.log.3": "2",
    }
    log.write_text("short")
    log_rotation.rotate_when_large(str(log), max_bytes=10)
    assert log.read_text() == "short"


WRITER = """
    import sys
    print("old " * 20, flush=True)
    for line in sys.stdin:
        print("new", flush=True)
"""


def test_a_log_is_written_from_its_beginning_after_it_was_cut(tmp_path: Path) -> None:
    path = str(tmp_path / "llama-server.log")
    log_fd = log_rotation.open_log(path)
    command = [sys.executable, "-c", textwrap.dedent(WRITER)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log_fd, text=True) as writer:
        os.close(log_fd)
        assert writer.stdin is not None
        _wait_for_text(Path(path), "old")
        log_rotation.rotate_when_large(path, max_bytes=10)
        writer.stdin.write("\n")
        writer.stdin.flush()
        _wait_for_text(Path(path), "new")
    # Where it was written before, there are no zero bytes.
    assert Path(path).read_text() == "new\n"
    assert "old" in Path(f"{path}.1").read_text()


def _wait_for_text(path: Path, text: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while text not in path.read_text():
        assert time.monotonic() < deadline, f"{text} never came"
        time.sleep(0.01)


def test_half_a_file_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    assert run_dir.read_whole(str(path)) is None
    run_dir.write_whole(str(path), {"a": 1})
    assert json.loads(path.read_text()) == run_dir.read_whole(str(path)) == {"a": 1}
    path.write_text('{"a": ')
    assert run_dir.read_whole(str(path)) is None
