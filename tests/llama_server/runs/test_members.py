"""All processes of a run, and what is left of one: found by what they are, not by their names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llama_mcp.keeper import run_dir
from llama_mcp.llama_server.runs import members
from llama_mcp.llama_server.runs.creating import create_run
from llama_mcp.llama_server.runs.run_state import read_run_state
from llama_mcp.llama_server.runs.start_lock import StartLock
from tests.llama_server.runs.launches import launch_of, launched, lives
from tests.support.processes import is_gone, until

pytestmark = pytest.mark.posix

# One child stays, one becomes an orphan in a session of its own.
FAMILY = """
import os, subprocess, sys, time
held = [sys.executable, "-c", "import time; held = bytearray(30_000_000); time.sleep(600)"]
subprocess.Popen(held)
if os.fork() == 0:
    os.setsid()
    subprocess.Popen(held)
    os._exit(0)
os.wait()
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells an orphan's keeper")
async def test_a_run_goes_by_all_its_processes_orphans_too(lock: StartLock) -> None:
    run = await launched(lock, launch_of(FAMILY))
    await until(
        lambda: (members.memory_of(members.pids_of(run.state())) or 0) > 60_000_000,
        "both have taken memory",
    )
    pids = (await read_run_state(run)).pids
    assert len(pids) == 3
    async with lock.hold() as exclusive:
        await exclusive.end(run)
    assert all(map(is_gone, pids))
    assert members.memory_of(pids) is None


def test_a_run_of_which_nothing_is_known_has_no_processes() -> None:
    assert members.pids_of(None) == frozenset()


def test_what_is_left_is_ended_and_nothing_of_another_run(runs_dir: Path) -> None:
    run = create_run(runs_dir, launch_of())
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    environment = os.environ | {run_dir.RUN_VARIABLE: f"{run.folder}-other"}
    with subprocess.Popen(command, env=environment) as other:
        with subprocess.Popen(
            command, env=environment | {run_dir.RUN_VARIABLE: str(run.folder)}
        ) as left:
            members.end_left_by(run)
            assert left.wait() == -9
        assert lives(other.pid)
        other.kill()
