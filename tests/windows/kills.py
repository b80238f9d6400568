"""TerminateProcess at random moments: nothing is left, and the next start works."""

import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio

from llama_mcp.llama_server.runs.run import RunFolder, current_run
from tests.support.processes import until
from tests.support.raw_client import RawClient
from tests.windows.stage import Stage, call, close, start
from tests.windows.wine import Windows

# A SIGKILL from this side would leave no exit code, as nothing on Windows does.
TERMINATOR = Path(__file__).with_name("terminator_program.py")
VICTIMS = ("llama-mcp", "keeper", "llama-server")
WORKS: dict[str, dict[str, Any]] = {
    "start_llama_server": {},
    "chat": {"message": "Go on and on", "max_tokens": 3500},
    "stop_llama_server": {},
}
SEED = 12
# From the first moment to the end of most replies.
LONGEST_DELAY_SECONDS = 1.0


async def kills(stage: Stage, victim: str) -> str:
    """Kill the victim once in each work; the same moments in every run."""
    chance = random.Random(f"{SEED} {victim}")
    works = list(WORKS)
    while works:
        async with stage.client() as client:
            await client.hello()
            with _terminator(stage.windows) as terminator:
                while works and client.process.returncode is None:
                    pid, request = await _begin(stage, client, victim, works.pop())
                    await anyio.sleep(LONGEST_DELAY_SECONDS * chance.random() ** 2)
                    _terminate(terminator, pid)
                    if victim == "llama-mcp":
                        await client.exit_code()
                    else:
                        await client.answer(request)
    await stage.until_nothing_is_left()
    async with stage.client() as client:
        await client.hello()
        await start(client)
        await close(client)
    await stage.until_nothing_is_left()
    return ", ".join(WORKS)


async def _begin(stage: Stage, client: RawClient, victim: str, work: str) -> tuple[int, int]:
    """Begin the work; return the victim's pid, as Windows counts, and the request's id."""
    earlier = None
    if work == "start_llama_server":
        earlier = current_run(stage.home / "runs")
        await call(client, "stop_llama_server")
    else:
        await start(client)
    request = await client.ask("tools/call", name=work, arguments=WORKS[work])
    await until(lambda: _pid_of(stage, victim, earlier) is not None, f"{victim} is there")
    return _pid_of(stage, victim, earlier) or 0, request


def _pid_of(stage: Stage, victim: str, earlier: RunFolder | None) -> int | None:
    """Return the victim's pid; None while there is none, or it is of the earlier run."""
    run = current_run(stage.home / "runs")
    if run is None or (earlier and run.folder == earlier.folder):
        return None
    if victim == "llama-mcp":
        return next((int(lease.name.partition("-")[0]) for lease in run.leases_dir.iterdir()), None)
    state = run.state()
    record = state and (state.keeper if victim == "keeper" else state.llama_server)
    return record.pid if record else None


def _terminate(terminator: "subprocess.Popen[str]", pid: int) -> None:
    assert terminator.stdin is not None and terminator.stdout is not None
    terminator.stdin.write(f"{pid}\n")
    terminator.stdin.flush()
    terminator.stdout.readline()


@contextmanager
def _terminator(windows: Windows) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [*windows.python, windows.path(TERMINATOR)],
        env=windows.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as terminator:
        yield terminator
        assert terminator.stdin is not None
        terminator.stdin.close()
