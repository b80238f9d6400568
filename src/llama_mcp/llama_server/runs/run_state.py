"""What a run looks like from outside: its state, told from records and from proved processes."""

import time
from dataclasses import dataclass

import anyio
import psutil

from llama_mcp.llama_server.runs.records import KeeperState, Outcome
from llama_mcp.llama_server.runs.run import Run
from llama_mcp.llama_server.status import ServerState

RECORD_SECONDS = 2.0
RECORD_POLL_SECONDS = 0.01
# A keeper that has not recorded anything by then is not going to.
KEEPER_START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class RunState:
    """A run and what its records and processes said at one moment."""

    run: Run
    state: ServerState
    keeper: KeeperState | None
    outcome: Outcome | None

    @property
    def is_live(self) -> bool:
        """Tell whether there is a llama-server to use or to wait for."""
        return self.state in _LIVE

    @property
    def was_ready(self) -> bool:
        """Tell whether it has ever been ready."""
        return self.outcome is not None and self.outcome.ready_after_seconds is not None

    @property
    def pid(self) -> int | None:
        """The pid of a llama-server that lives."""
        record = self.keeper.llama_server if self.keeper else None
        return record.pid if record and self.state not in _DEAD else None


_LIVE = (ServerState.STARTING, ServerState.READY, ServerState.UNRESPONSIVE)
_DEAD = (ServerState.STOPPED, ServerState.CRASHED)


async def read_run_state(run: Run) -> RunState:
    """Say what state a run is in; asks no llama-server, so `ready` here means that it was.

    A llama-server that has just died is given the moment that its keeper needs to record how.
    """
    keeper = run.state()
    if _is_exit_pending(keeper):
        with anyio.move_on_after(RECORD_SECONDS):
            while _is_exit_pending(keeper):
                await anyio.sleep(RECORD_POLL_SECONDS)
                keeper = run.state()
    outcome = run.outcome()
    return RunState(run, _state(run, keeper, outcome), keeper, outcome)


def memory_of(pid: int | None) -> int | None:
    """Return the resident memory of a process in bytes; None when it is gone."""
    if pid is None:
        return None
    try:
        rss: int = psutil.Process(pid).memory_info().rss
    except psutil.Error:
        return None
    return rss


def _is_exit_pending(keeper: KeeperState | None) -> bool:
    if keeper is None or keeper.exit or keeper.llama_server is None:
        return False
    return not keeper.llama_server.is_alive() and keeper.keeper.is_alive()


def _state(run: Run, keeper: KeeperState | None, outcome: Outcome | None) -> ServerState:
    if keeper is None:
        if run.is_ending():
            return ServerState.STOPPED
        young = time.time() - run.launch.at < KEEPER_START_SECONDS
        return ServerState.STARTING if young else ServerState.STOPPED
    if keeper.exit:
        return ServerState.STOPPED if keeper.exit.was_asked_to else ServerState.CRASHED
    if keeper.spawn_error or keeper.llama_server is None:
        return ServerState.CRASHED
    is_alive = keeper.llama_server.is_alive()
    if run.is_ending():
        return ServerState.STOPPING if is_alive else ServerState.STOPPED
    # Without its keeper nobody would stop it once it is unused: the next start ends it.
    if not is_alive or not keeper.keeper.is_alive():
        return ServerState.CRASHED
    if run.is_unresponsive():
        return ServerState.UNRESPONSIVE
    has_been_ready = outcome is not None and outcome.ready_after_seconds is not None
    return ServerState.READY if has_been_ready else ServerState.STARTING
