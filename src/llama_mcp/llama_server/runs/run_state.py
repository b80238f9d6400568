"""The state of a run, told from its records and from processes that are proved to be its own."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import anyio

from llama_mcp.keeper import lease_locks, run_dir
from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.runs import members, ports
from llama_mcp.llama_server.runs.records import KeeperState, LoadingOutcome, seconds_since
from llama_mcp.llama_server.runs.run import Run, RunFolder, UnreadableRun
from llama_mcp.llama_server.status import ServerState

RECORD_SECONDS = 2.0
RECORD_POLL_SECONDS = 0.01
# A keeper that has not recorded anything by then is not going to. It is quick itself; importing
# Python on a machine under load is not.
KEEPER_START_SECONDS = 30.0
# Most wrappers follow their llama-server, and then say how it ended.
FOLLOW_SECONDS = 0.5
# Looked at again so often, and so long at the most: the keeper saves what is worth it first.
UNLOADING_POLL_SECONDS = 0.02
UNLOADING_SECONDS = 60.0
# So long after its end a run's records change no more.
SETTLED_SECONDS = 60.0
_LIVE = (ServerState.STARTING, ServerState.READY, ServerState.UNRESPONSIVE)
_DEAD = (ServerState.STOPPED, ServerState.CRASHED, ServerState.IDLE)


@dataclass(frozen=True, slots=True)
class FolderState:
    """A run folder and what its records and processes said at one moment."""

    run: RunFolder
    state: ServerState
    keeper: KeeperState | None
    outcome: LoadingOutcome | None

    @property
    def is_live(self) -> bool:
        """Tell whether there is a llama-server to use or to wait for."""
        return self.state in _LIVE

    @property
    def is_unloading(self) -> bool:
        """Tell whether its keeper unloads it, which is over in a moment or taken back."""
        return self.state is ServerState.STOPPING and self.run.is_unloaded()

    @property
    def is_over_for_good(self) -> bool:
        """Tell whether its records say how it ended, and nobody has anything to add to them."""
        ended = self.keeper.exit if self.keeper else None
        # One that was unloaded comes back; why a start was given up is written after its end.
        return (
            self.state in _DEAD
            and ended is not None
            and ended.reason is None
            and time.time() - ended.at > SETTLED_SECONDS
        )

    @property
    def was_ready(self) -> bool:
        """Tell whether it has ever been ready."""
        return self.outcome is not None and self.outcome.ready_after_seconds is not None

    @property
    def has_ended_below(self) -> bool:
        """Tell whether llama-server is gone, and the wrapper that has started it lives on."""
        return _has_ended_below(self.run, self.keeper, self.outcome)

    @property
    def last_pid(self) -> int | None:
        """The pid that llama-server has or had; None when none was ever spawned."""
        record = self.keeper.llama_server if self.keeper else None
        return record.pid if record else None

    @property
    def pid(self) -> int | None:
        """The pid of a llama-server that lives."""
        return self.last_pid if self.state not in _DEAD else None

    @property
    def pids(self) -> frozenset[int]:
        """The pids of a llama-server that lives: of its whole tree; empty for one that does not."""
        return members.pids_of(self.keeper) if self.pid is not None else frozenset()

    @property
    def uptime_seconds(self) -> float | None:
        """How long the llama-server has lived; None for one that does not."""
        record = self.keeper.llama_server if self.keeper and self.pid is not None else None
        return round(seconds_since(record.clock, record.at), 1) if record and record.at else None


@dataclass(frozen=True, slots=True)
class RunState(FolderState):
    """The state of a run that can be used."""

    run: Run

    @property
    def total_slots(self) -> int:
        """How many conversations can generate at once; as launched until llama-server says."""
        return (self.outcome and self.outcome.total_slots) or self.run.launch.config.parallel

    @property
    def slot_ctx_size(self) -> int:
        """The context window of each conversation, in tokens; as launched until it says."""
        return (self.outcome and self.outcome.slot_ctx_size) or self.run.launch.config.ctx_size


@dataclass(frozen=True, slots=True)
class UnreadableState(FolderState):
    """The state of a run whose launch.json cannot be read.

    `unresponsive` while its llama-server is proved to live, since nobody can talk to it without
    its address; `stopping` once that was told to end; else `stopped`.
    """

    run: UnreadableRun


AnyState = TypeVar("AnyState", bound=FolderState | None)


async def read_run_state(run: Run) -> RunState:
    """Return the state of a run; llama-server is not asked, so `ready` means that it was.

    A llama-server that has just died is given the moment that its keeper needs to record how.
    """
    keeper = await _settled_keeper_state(run)
    outcome = run.outcome()
    state = _state(run, keeper, outcome)
    if state in _DEAD and _has_left_no_ending(keeper):
        # It died between the two looks: how is recorded only now.
        keeper = await _settled_keeper_state(run)
        state = _state(run, keeper, outcome)
    return RunState(run, state, keeper, outcome)


async def read_unreadable_state(run: UnreadableRun) -> UnreadableState:
    """Return what is known of a run without its launch.json."""
    keeper = await _settled_keeper_state(run)
    if keeper is None or keeper.llama_server is None or not keeper.llama_server.is_alive():
        state = ServerState.STOPPED
    elif run.is_ending():
        state = ServerState.STOPPING
    else:
        state = ServerState.UNRESPONSIVE
    return UnreadableState(run, state, keeper, run.outcome())


async def read_state(run: Run | UnreadableRun) -> RunState | UnreadableState:
    """Return the state of either kind of run."""
    return await (read_run_state(run) if isinstance(run, Run) else read_unreadable_state(run))


async def once_unloaded(state: AnyState, read: Callable[[], Awaitable[AnyState]]) -> AnyState:
    """Return the state of a run that is being unloaded once that is over; any other at once.

    Args:
        state: as it was read.
        read: reads it again.
    """
    with anyio.move_on_after(UNLOADING_SECONDS):
        while state is not None and state.is_unloading:
            await anyio.sleep(UNLOADING_POLL_SECONDS)
            state = await read()
    return state


async def check_health(state: RunState, client: LlamaServerClient) -> tuple[RunState, ServerState]:
    """Ask a run that was ready for its health.

    Returns:
        Its state by the records, read again when it does not answer; and the state that results.
    """
    if await client.is_healthy():
        return state, ServerState.READY
    # It may have died since its state was read.
    state = await read_run_state(state.run)
    return state, ServerState.UNRESPONSIVE if state.is_live else state.state


async def _settled_keeper_state(run: RunFolder) -> KeeperState | None:
    keeper = run.state()
    if _is_exit_pending(keeper):
        with anyio.move_on_after(RECORD_SECONDS):
            while _is_exit_pending(keeper):
                await anyio.sleep(RECORD_POLL_SECONDS)
                keeper = run.state()
    if not run.is_ending() and _has_ended_below(run, keeper, run.outcome()):
        with anyio.move_on_after(FOLLOW_SECONDS):
            while keeper and not keeper.says_how_it_ended:
                await anyio.sleep(RECORD_POLL_SECONDS)
                keeper = run.state()
    if keeper and keeper.exit is None and not keeper.keeper.is_alive():
        keeper = run.state()  # it may have recorded the exit and left since
    return keeper


def _is_exit_pending(keeper: KeeperState | None) -> bool:
    return keeper is not None and _has_left_no_ending(keeper) and keeper.keeper.is_alive()


def _has_left_no_ending(keeper: KeeperState | None) -> bool:
    if keeper is None or keeper.exit or keeper.llama_server is None:
        return False
    return not keeper.llama_server.is_alive()


def _has_ended_below(
    run: RunFolder, keeper: KeeperState | None, outcome: LoadingOutcome | None
) -> bool:
    if keeper is None or keeper.says_how_it_ended or outcome is None or not outcome.listeners:
        return False
    if any(listener.is_alive() for listener in outcome.listeners) or not isinstance(run, Run):
        return False
    # A wrapper may have started it again by itself.
    return not ports.listeners_among(members.pids_of(keeper), run.launch.port)


def _state(run: Run, keeper: KeeperState | None, outcome: LoadingOutcome | None) -> ServerState:
    if keeper is None:
        if run.is_ending():
            return ServerState.STOPPED
        young = run.launch.age_seconds < KEEPER_START_SECONDS
        return ServerState.STARTING if young else ServerState.STOPPED
    if keeper.exit and not keeper.exit.was_asked_to:
        return ServerState.CRASHED
    if keeper.exit:
        is_unloaded = keeper.exit.reason == run_dir.IDLE and not run.is_stop_requested()
        return _unloaded(run, keeper.exit.at) if is_unloaded else ServerState.STOPPED
    if keeper.spawn_error or keeper.llama_server is None:
        return ServerState.CRASHED
    is_alive = keeper.llama_server.is_alive()
    if run.is_ending():
        if is_alive:
            return ServerState.STOPPING
        return _unloaded(run, run.unloaded_at()) if run.is_unloaded() else ServerState.STOPPED
    # Without its keeper nobody would stop it once it is unused: the next start ends it.
    if not is_alive or not keeper.keeper.is_alive() or _has_ended_below(run, keeper, outcome):
        return ServerState.CRASHED
    if run.is_unresponsive():
        return ServerState.UNRESPONSIVE
    has_been_ready = outcome is not None and outcome.ready_after_seconds is not None
    return ServerState.READY if has_been_ready else ServerState.STARTING


def _unloaded(run: Run, at: float) -> ServerState:
    """Return IDLE while it would have been kept, had it not been unloaded; then STOPPED.

    After that the settings count again, as for any start.
    """
    linger_seconds = run.launch.linger_seconds
    is_kept = linger_seconds < 0 or time.time() - at < linger_seconds
    is_wanted = is_kept or lease_locks.count_held(str(run.leases_dir)) > 0
    return ServerState.IDLE if is_wanted else ServerState.STOPPED
