"""A client that holds its processes in a Windows job which none may leave."""

import subprocess
import sys
from pathlib import Path

import pytest

from llama_mcp.llama_server.runs.run import Run, RunFolder, current_run
from llama_mcp.llama_server.runs.run_state import read_run_state
from llama_mcp.llama_server.status_report import IS_IN_A_JOB, report
from tests.llama_server.runs.launches import lives, pid_of
from tests.support.processes import until

pytestmark = pytest.mark.skipif(sys.platform != "win32", reason="only Windows has jobs")

CHECKOUT = Path(__file__).parents[3]

CLIENT = """
import anyio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from llama_mcp.keeper import windows
from llama_mcp.llama_server.runs import keeper_process
from llama_mcp.llama_server.runs.creating import create_run
from tests.llama_server.runs.launches import launch_of
{job}
run = create_run(Path(sys.argv[1]), launch_of(linger_seconds=-1))
anyio.run(keeper_process.spawn, run)
print("spawned", flush=True)
sys.stdin.read()
"""


def start_client(runs_dir: Path, job: str) -> "subprocess.Popen[str]":
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT.format(job=job), str(runs_dir), str(CHECKOUT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert client.stdout is not None
    assert client.stdout.readline() == "spawned\n"
    return client


def the_run(runs_dir: Path) -> Run:
    run = current_run(runs_dir)
    assert isinstance(run, Run)
    return run


async def test_a_keeper_that_cannot_leave_the_job_of_its_client_says_so_and_ends_with_it(
    runs_dir: Path,
) -> None:
    with start_client(runs_dir, "job = windows.Job()") as client:
        run = the_run(runs_dir)
        status = await report(await read_run_state(run), None, None)
        assert status.notes is not None and IS_IN_A_JOB in status.notes
        client.kill()
    await until(lambda: not lives(pid_of(run)), "llama-server ends with the client's job")


async def test_a_keeper_outlives_a_client_that_is_killed(runs_dir: Path) -> None:
    with start_client(runs_dir, "") as client:
        client.kill()
    run = the_run(runs_dir)
    state = await read_run_state(run)
    assert state.is_live and lives(pid_of(run))
    assert IS_IN_A_JOB not in ((await report(state, None, None)).notes or [])
    run.request_stop()
    await until(lambda: run_is_over(run), "the keeper stops what is asked to stop")


def run_is_over(run: RunFolder) -> bool:
    state = run.state()
    return state is not None and state.exit is not None and not state.keeper.is_alive()
