"""The llama-servers of a home that live, or were left over, told without touching any of them.

Only what is on disk and in the process table is looked at: no lease is taken, no connection made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

from llama_mcp.keeper import lease_locks
from llama_mcp.llama_server.runs.creating import state_folder_errors
from llama_mcp.llama_server.runs.members import pids_by_run
from llama_mcp.llama_server.runs.named_states import default_state
from llama_mcp.llama_server.runs.of_models import latest_runs
from llama_mcp.llama_server.runs.run import Run
from llama_mcp.llama_server.runs.run_state import FolderState, read_state
from llama_mcp.llama_server.status import ServerState, WorkerStatus
from llama_mcp.llama_server.worker_report import WorkerReport


@dataclass(frozen=True, slots=True)
class LiveRun:
    """A llama-server that lives, or processes of one that nobody looks after any more.

    Attributes:
        folder: Where it is recorded.
        model: Its model; empty where its record cannot be read.
        state: What its records say.
        port: Where it listens; None where that is not known.
        pids: Its processes.
        clients: How many llama-mcp use it.
        linger_seconds: How long it is kept without a client; -1 for ever, None where not known.
        is_kept: Its keeper lives, and ends it once it is unused.
    """

    folder: Path
    model: str
    state: ServerState
    port: int | None
    pids: tuple[int, ...]
    clients: int
    linger_seconds: float | None
    is_kept: bool


async def live_runs(runs_dir: Path) -> list[LiveRun]:
    """Return the runs of a home that have a process, the latest of each model first.

    Raises:
        StateFolderError: the folder of runs cannot be read.
    """
    with state_folder_errors(runs_dir):
        runs = await anyio.to_thread.run_sync(latest_runs, runs_dir)
    states = [await read_state(run) for run in runs]
    pids = await anyio.to_thread.run_sync(pids_by_run)
    live = [_live(state, pids) for state in states]
    known = {each.folder for each in live}
    others = [
        LiveRun(folder, "", ServerState.STOPPED, None, tuple(found), 0, None, is_kept=False)
        for folder, found in ((Path(name), found) for name, found in pids.items())
        if folder.parent == runs_dir and folder not in known
    ]
    return [each for each in (*live, *others) if each.pids]


async def look_at_workers(runs_dir: Path, rpc_servers: Sequence[str]) -> list[WorkerStatus]:
    """Return how the RPC workers are that the last run has, or a start would use.

    A worker that serves a llama-server of the home is not asked: it answers nobody else.

    Raises:
        StateFolderError: the folder of runs cannot be read.
    """
    if not rpc_servers:
        return []
    with state_folder_errors(runs_dir):
        runs = await anyio.to_thread.run_sync(latest_runs, runs_dir)
    states = [await read_state(run) for run in runs]
    return await WorkerReport(rpc_servers).of(default_state(states), states) or []


def _live(state: FolderState, pids: Mapping[str, list[int]]) -> LiveRun:
    run = state.run
    launch = run.launch if isinstance(run, Run) else None
    leases = lease_locks.paths_in(str(run.leases_dir))
    return LiveRun(
        folder=run.folder,
        model=launch.alias if launch else "",
        state=state.state,
        port=launch.port if launch else None,
        pids=tuple(pids.get(str(run.folder), ())),
        # Not `list_held`, which clears away what the dead have left.
        clients=sum(map(lease_locks.is_locked, leases)),
        linger_seconds=launch.linger_seconds if launch else None,
        is_kept=state.keeper is not None and state.keeper.keeper.is_alive(),
    )
