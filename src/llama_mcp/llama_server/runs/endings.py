"""How a run ended, and the errors that say so."""

import signal as signals
from collections.abc import Sequence
from pathlib import Path

import psutil

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.diagnosis.advice import LaunchFacts
from llama_mcp.llama_server.diagnosis.causes import Diagnosis, diagnose
from llama_mcp.llama_server.diagnosis.log import read_log_tail
from llama_mcp.llama_server.diagnosis.windows_endings import describe_exit_code
from llama_mcp.llama_server.errors import (
    CrashedError,
    NotRunningError,
    StartFailedError,
    StartInterruptedError,
    UnreadableRunError,
)
from llama_mcp.llama_server.runs.records import KeeperState, Launch
from llama_mcp.llama_server.runs.run_state import RunState, UnreadableState
from llama_mcp.llama_server.status import LastExit, ServerState

LOG_LINES_FOR_DIAGNOSIS = 200
LOG_LINES_TO_SHOW = 12


def last_exit(state: RunState) -> LastExit | None:
    """Explain how a run ended by itself; None when it runs or was stopped."""
    failure = state.outcome.failure if state.outcome else None
    if state.state is not ServerState.CRASHED and not failure:
        return None
    exit_code, number = _ending(state.keeper)
    tail = read_log_tail(state.run.log_path, LOG_LINES_FOR_DIAGNOSIS)
    verdict = explain(state, tail)
    return LastExit(
        exit_code=exit_code,
        signal=number,
        cause=f"{failure}; {verdict.cause}" if failure else verdict.cause,
        advice=verdict.advice,
        log_tail=tail[-LOG_LINES_TO_SHOW:],
    )


def explain(state: RunState, log_lines: Sequence[str]) -> Diagnosis:
    """Return cause and advice for a run that ended by itself, or that never became ready."""
    keeper, launch = state.keeper, state.run.launch
    if keeper and keeper.spawn_error:
        return Diagnosis(
            f"the system would not execute {launch.engine.path}: {keeper.spawn_error.text}",
            "Check that it is a llama-server for this system, or pass another llama_cpp_path.",
            (),
        )
    if keeper and keeper.exit is None and not keeper.keeper.is_alive():
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


def describe_ending(state: RunState) -> str:
    """Say in a few words how llama-server ended: exit code or signal."""
    exit_code, number = _ending(state.keeper)
    if number:
        name = signals.Signals(number).name if number in list(signals.Signals) else "signal"
        return f"ended by {name} ({number})"
    return f"exit code {describe_exit_code(exit_code)}" if exit_code is not None else "no exit code"


def start_error(state: RunState) -> LlamaMCPError:
    """Return the error for a start that led to no llama-server."""
    ended = last_exit(state)
    if ended is None:
        return StartInterruptedError()
    evidence = explain(state, ended.log_tail).evidence or tuple(ended.log_tail)
    return StartFailedError(_what_happened(state, ended), ended.advice, evidence)


def crash_error(state: RunState) -> CrashedError:
    """Return the error for a llama-server that died after it was ready."""
    ended = last_exit(state)
    if ended is None:
        return CrashedError("its process is gone", "", ())
    return CrashedError(_what_happened(state, ended), ended.advice, ended.log_tail[-6:])


def unreadable_error(state: UnreadableState) -> UnreadableRunError:
    """Return the error for a call that needs the record of a run that lives."""
    return UnreadableRunError(str(state.run.folder), state.pid, state.run.problem)


def not_running_error(state: RunState | None) -> NotRunningError:
    """Return the error for a chat that finds no llama-server."""
    ended = last_exit(state) if state else None
    return NotRunningError(f"the last one did not start: {ended.cause}" if ended else None)


def _what_happened(state: RunState, ended: LastExit) -> str:
    if ended.exit_code is None and ended.signal is None:
        return ended.cause
    return f"{ended.cause} ({describe_ending(state)})"


def _ending(keeper: KeeperState | None) -> tuple[int | None, int | None]:
    if keeper is None or keeper.exit is None:
        return None, None
    return keeper.exit.exit_code, keeper.exit.signal
