"""What a run looks like from outside: its state, told from records and from proved processes."""

import signal as signals
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
import psutil

from llama_mcp import errors
from llama_mcp.llama_server.diagnosis.causes import Diagnosis, LaunchFacts, diagnose
from llama_mcp.llama_server.diagnosis.log import read_log_tail
from llama_mcp.llama_server.run_record import KeeperState, Launch, Outcome, Run
from llama_mcp.llama_server.status import LastExit, ServerState

LOG_LINES_FOR_DIAGNOSIS = 200
LOG_LINES_TO_SHOW = 12
RECORD_SECONDS = 2.0
RECORD_POLL_SECONDS = 0.01
# A keeper that has not recorded anything by then is not going to.
KEEPER_START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Observation:
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


async def observe(run: Run) -> Observation:
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
    return Observation(run, _state(run, keeper, outcome), keeper, outcome)


def last_exit(seen: Observation) -> LastExit | None:
    """Explain how a run ended when nobody had asked it to; None when it runs or was stopped."""
    failure = seen.outcome.failure if seen.outcome else None
    if seen.state is not ServerState.CRASHED and not failure:
        return None
    exit_code, number = _ending(seen.keeper)
    tail = read_log_tail(seen.run.log_path, LOG_LINES_FOR_DIAGNOSIS)
    verdict = explain(seen, tail)
    return LastExit(
        exit_code=exit_code,
        signal=number,
        cause=f"{failure}; {verdict.cause}" if failure else verdict.cause,
        advice=verdict.advice,
        log_tail=tail[-LOG_LINES_TO_SHOW:],
    )


def explain(seen: Observation, log_lines: Sequence[str]) -> Diagnosis:
    """Return cause and advice for a run that ended by itself, or that never became ready."""
    keeper, launch = seen.keeper, seen.run.launch
    if keeper and keeper.spawn_error:
        return Diagnosis(
            f"the system would not execute {launch.engine.path}: {keeper.spawn_error.text}",
            "Check that it is a llama-server for this system, or pass another llama_cpp_path.",
            (),
        )
    if keeper and keeper.exit is None:
        return Diagnosis(
            "its keeper process was killed, and it ended with it",
            "If nobody killed it, the machine may be out of memory.",
            tuple(log_lines[-3:]),
        )
    exit_code, number = _ending(keeper)
    return diagnose(exit_code, number, log_lines, launch_facts(launch))


def launch_facts(launch: Launch) -> LaunchFacts:
    """Return the numbers of a launch that advice may name."""
    config = launch.config
    model = Path(config.model_path or "")
    return LaunchFacts(
        model_path=str(model),
        port=launch.port,
        ctx_size=config.ctx_size,
        parallel=config.parallel,
        n_gpu_layers=config.n_gpu_layers,
        extra_args=config.extra_args,
        model_bytes=model.stat().st_size if model.is_file() else None,
        memory_available_bytes=psutil.virtual_memory().available,
        engine_path=launch.engine.path,
    )


def describe_ending(seen: Observation) -> str:
    """Say in a few words how llama-server ended: exit code or signal."""
    exit_code, number = _ending(seen.keeper)
    if number:
        name = signals.Signals(number).name if number in list(signals.Signals) else "signal"
        return f"ended by {name} ({number})"
    return f"exit code {exit_code}" if exit_code is not None else "no exit code"


def start_error(seen: Observation) -> errors.LlamaMCPError:
    """Return the error for a start that led to no llama-server."""
    ended = last_exit(seen)
    if ended is None:
        return errors.StartInterruptedError()
    evidence = explain(seen, ended.log_tail).evidence or tuple(ended.log_tail)
    return errors.StartFailedError(_what_happened(seen, ended), ended.advice, evidence)


def crash_error(seen: Observation) -> errors.CrashedError:
    """Return the error for a llama-server that died after it was ready."""
    ended = last_exit(seen)
    if ended is None:
        return errors.CrashedError("its process is gone", "", ())
    return errors.CrashedError(_what_happened(seen, ended), ended.advice, ended.log_tail[-6:])


def not_running_error(seen: Observation | None) -> errors.NotRunningError:
    """Return the error for a chat that finds no llama-server."""
    ended = last_exit(seen) if seen else None
    return errors.NotRunningError(f"the last one did not start: {ended.cause}" if ended else None)


def memory_of(pid: int | None) -> int | None:
    """Return the resident memory of a process in bytes; None when it is gone."""
    if pid is None:
        return None
    try:
        rss: int = psutil.Process(pid).memory_info().rss
    except psutil.Error:
        return None
    return rss


def _what_happened(seen: Observation, ended: LastExit) -> str:
    if ended.exit_code is None and ended.signal is None:
        return ended.cause
    return f"{ended.cause} ({describe_ending(seen)})"


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


def _ending(keeper: KeeperState | None) -> tuple[int | None, int | None]:
    if keeper is None or keeper.exit is None:
        return None, None
    return keeper.exit.exit_code, keeper.exit.signal
