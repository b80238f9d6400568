"""The processes below one llama-mcp: found at once, killed by proved identity, seen to be gone."""

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from llama_mcp.keeper import identity
from llama_mcp.llama_server.runs import ports
from llama_mcp.llama_server.runs.run import Run
from llama_mcp.llama_server.runs.run import current_run as current_run_in
from tests.support.processes import PATIENCE_SECONDS, until, until_all_leave
from tests.support.raw_client import RawClient

# Short, because the first moments of a process are among those at which it is to be killed.
LOOK_SECONDS = 0.001


@dataclass(frozen=True)
class Process:
    """A process that is proved to be the same before it is signalled."""

    pid: int
    start: str | None

    def signal(self, number: int) -> bool:
        """Tell whether it was still there to be signalled."""
        return identity.signal_same_process(self.pid, self.start, number)

    def kill(self) -> bool:
        return self.signal(signal.Signals["SIGKILL"])

    def children(self) -> list["Process"]:
        try:
            names = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        except OSError:
            return []
        return [process(int(name)) for name in names]

    def is_a_keeper(self) -> bool:
        """Tell whether it is one, from the moment of its exec on."""
        try:
            command = Path(f"/proc/{self.pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return b"llama_mcp.keeper" in command


def process(pid: int) -> Process:
    return Process(pid, identity.process_start(pid))


def is_alive(process: Process) -> bool:
    return identity.is_same_process(process.pid, process.start)


async def find(victim: str, llama_mcp: Process, *, but: Process | None = None) -> Process:
    """Wait until the victim is there, however young; `but` is one of an earlier start."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while (found := _look(victim, llama_mcp)) is None or found == but:
            await anyio.sleep(LOOK_SECONDS)
    return found


def _look(victim: str, llama_mcp: Process) -> Process | None:
    if victim == "llama-mcp":
        return llama_mcp
    guard = _keeper_below(llama_mcp)
    if victim == "guard" or guard is None:
        return guard
    keeper = _keeper_below(guard)
    if victim == "keeper" or keeper is None:
        return keeper
    return next(iter(keeper.children()), None)


def _keeper_below(process: Process) -> Process | None:
    return next((child for child in process.children() if child.is_a_keeper()), None)


async def start_model(client: RawClient, **arguments: Any) -> int:
    """Start a model without any trouble and return llama-server's pid."""
    result = await client.call("start_llama_server", **arguments)
    assert not result.get("isError"), result["content"][0]["text"]
    status = result["structuredContent"]
    assert status["state"] == "ready"
    pid: int = status["pid"]
    return pid


async def chat(client: RawClient, message: str, **arguments: Any) -> dict[str, Any]:
    """Have a short turn; nothing of what was killed may stand in its way."""
    wanted = {"message": message, "max_tokens": 4, "temperature": 0, **arguments}
    answer = await client.call("chat", **wanted)
    assert not answer.get("isError"), answer["content"][0]["text"]
    structure: dict[str, Any] = answer["structuredContent"]
    return structure


async def until_told(client: RawClient, victim: str, request: int) -> None:
    """Wait until the client knows that the victim is gone: by llama-mcp's end, or by its answer."""
    if victim == "llama-mcp":
        await client.exit_code()
    else:
        await client.answer(request)


def current_run(home: Path) -> Run:
    run = current_run_in(home / "runs")
    assert isinstance(run, Run)
    return run


async def until_nothing_is_left(home: Path) -> None:
    """Wait until neither a process nor a port of the home's runs is left."""
    run = current_run_in(home / "runs")
    if run is None:
        return
    state = run.state()
    if state is not None:  # a look at two processes is quicker than one at all of them
        records = [record for record in (state.keeper, state.llama_server) if record]
        await until(lambda: not any(record.is_alive() for record in records), "both processes end")
    await until_all_leave(home, "keeper and llama-server end")
    if isinstance(run, Run):
        port = run.launch.port
        await until(lambda: ports.is_free(port), "the port is free")
