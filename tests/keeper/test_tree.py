"""What the keeper's child starts is kept, asked and ended with it, however it tries to leave."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from llama_mcp.keeper import macos, run_dir, tree
from tests.keeper.kept_run import KeptRun, how
from tests.support.processes import is_gone, until

pytestmark = pytest.mark.posix
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has subreapers")

# Starts a program in a session of its own, as nobody's child, and waits.
ESCAPING = """
    import os, subprocess, sys, time
    program = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    if os.fork() == 0:
        os.setsid()
        subprocess.Popen([sys.executable, "-c", program])
        os._exit(0)
    os.wait()
    time.sleep(600)
"""
# The same, but ends as soon as it has done so.
DAEMONISING = ESCAPING.replace("os.wait()", "os.wait(); sys.stdout.flush(); os._exit(0)")
SLOW_TO_LEAVE = """
import signal, sys, time
def leave(*_):
    time.sleep(0.3)
    print("said goodbye", flush=True)
    sys.exit()
signal.signal(signal.SIGTERM, leave)
print("up", flush=True)
time.sleep(600)
"""
# It itself is gone at once when it is asked to end, and what it has started is not.
HASTY = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {SLOW_TO_LEAVE!r}], start_new_session=True)
time.sleep(600)
"""
# Each process starts the next one and leaves, without a pause and each in a session of its own.
RUNNING_AWAY = """
    import os, time
    print("up", flush=True)
    if os.fork():
        time.sleep(600)
    while True:
        if os.fork():
            os._exit(0)
        os.setsid()
"""
BREEDING = """
    import os, time
    print("up", flush=True)
    while True:
        if os.fork() == 0:
            time.sleep(0.001)
            os._exit(0)
        time.sleep(0.001)
"""


def processes_of_run(run: KeptRun) -> list[int]:
    """Return the pids of those that have inherited the run's name."""
    marked = f"{run_dir.RUN_VARIABLE}={run.folder}".encode()
    found = []
    for pid in psutil.pids():
        try:
            if marked in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.append(pid)
        except OSError:  # it is gone, or another user's
            continue
    return found


def log_of(run: KeptRun) -> str:
    return (run.folder / run_dir.LOG).read_text()


@linux_only
@pytest.mark.parametrize("victim", ["guard", "keeper", "child"])
async def test_what_has_left_its_parent_and_session_ends_with_whatever_is_killed(
    run: KeptRun, lease: FileLock, victim: str
) -> None:
    run.start(ESCAPING)
    await run.until_up()
    escaped = int(log_of(run))
    keeper = run.state["keeper"]["pid"]
    pids = {"guard": psutil.Process(keeper).ppid(), "keeper": keeper, "child": run.child_pid}
    psutil.Process(pids[victim]).kill()
    await until(lambda: all(map(is_gone, (*pids.values(), escaped))), "all ends with it")


@linux_only
async def test_a_child_that_leaves_others_behind_is_recorded_and_they_are_ended(
    run: KeptRun, lease: FileLock
) -> None:
    run.start(DAEMONISING)
    ending = await run.until_over()
    assert (how(ending), ending["was_asked_to"], ending["left_others"]) == ((0, None), False, True)
    assert all(map(is_gone, map(int, log_of(run).split())))


async def test_a_child_that_leaves_nothing_is_recorded_so(run: KeptRun, lease: FileLock) -> None:
    run.start("pass")
    assert (await run.until_over())["left_others"] is False


async def test_the_real_one_below_is_asked_and_given_its_time(
    run: KeptRun, lease: FileLock
) -> None:
    run.start(HASTY)
    await run.until_up()
    (run.folder / run_dir.STOP).touch()
    assert how(await run.until_over()) == (None, signal.SIGTERM)
    assert log_of(run).split("\n") == ["up", "said goodbye", ""]


@linux_only
@pytest.mark.parametrize("program", [RUNNING_AWAY, BREEDING])
async def test_one_that_starts_others_all_the_time_is_ended_with_them(
    run: KeptRun, lease: FileLock, program: str
) -> None:
    run.start(program)
    await run.until_up()
    (run.folder / run_dir.STOP).touch()
    await run.until_over()
    assert processes_of_run(run) == []


@linux_only
async def test_orphans_that_have_ended_are_reaped_while_the_child_lives(
    run: KeptRun, lease: FileLock
) -> None:
    run.start("""
        import os, time
        for _ in range(20):
            if os.fork() == 0:
                if os.fork() == 0:
                    time.sleep(0.05)
                os._exit(0)
            os.wait()
        print("up", flush=True)
        time.sleep(600)
    """)
    await run.until_up()
    keeper = psutil.Process(run.state["keeper"]["pid"])
    await until(lambda: [each.pid for each in keeper.children()] == [run.child_pid], "reaped")


def test_members_are_found_however_deep_and_only_those_below() -> None:
    program = "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'input()']); "
    program += "print(p.pid, flush=True); p.wait()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        below = psutil.Process(int(process.stdout.readline()))
        assert list(tree.members_below(process.pid)) == [below.pid]
        assert {process.pid, below.pid} <= set(tree.members_below(os.getpid()))
        # As macOS tells it, or ps.
        assert macos.children_of(process.pid) == [below.pid]
        assert macos.parent_of(below.pid) == process.pid
        process.kill()
        below.kill()


def test_a_process_without_children_is_told_so_at_once() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert tree.members_below(process.pid) == {}
    assert macos.parent_of(process.pid) is None
