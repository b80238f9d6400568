"""How a run ended, and the errors that say so."""

import signal as signals
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.diagnosis.advice import LaunchFacts
from llama_mcp.llama_server.diagnosis.causes import Diagnosis, diagnose, was_short_of_memory
from llama_mcp.llama_server.diagnosis.free_memory import available_bytes
from llama_mcp.llama_server.diagnosis.log import read_log_tail
from llama_mcp.llama_server.diagnosis.windows_endings import describe_exit_code
from llama_mcp.llama_server.errors import (
    CrashedError,
    NotRunningError,
    StartFailedError,
    StartInterruptedError,
    UnreadableRunError,
)
from llama_mcp.llama_server.runs import neighbours, places, ports
from llama_mcp.llama_server.runs.records import KeeperState, Launch
from llama_mcp.llama_server.runs.run import Run, place_of
from llama_mcp.llama_server.runs.run_state import RunState, UnreadableState
from llama_mcp.llama_server.status import LastExit, ServerState
from llama_mcp.llama_server.workers.probing import look_at

LOG_LINES_FOR_DIAGNOSIS = 200
LOG_LINES_TO_SHOW = 12
# For workers that may have ended a llama-server by their own end.
_LOOK_SECONDS = 1.0


def last_exit(state: RunState) -> LastExit | None:
    """Explain how a run ended by itself; None when it runs or was stopped.

    Like all that explains an ending here, it reads the log and may look at every socket of the
    machine, so it belongs on a worker thread.
    """
    explained = _explain_ending(state)
    return explained[0] if explained else None


def has_ended_by_itself(state: RunState) -> bool:
    """Tell whether there is something to explain: it crashed, or its start was given up."""
    failure = state.outcome.failure if state.outcome else None
    return state.state is ServerState.CRASHED or bool(failure)


def _explain_ending(state: RunState) -> tuple[LastExit, Sequence[str]] | None:
    """Return how a run ended by itself and the lines of its log that show it; None as above."""
    if not has_ended_by_itself(state):
        return None
    failure = state.outcome.failure if state.outcome else None
    exit_code, number = _ending(state.keeper)
    tail = read_log_tail(state.run.log_path, LOG_LINES_FOR_DIAGNOSIS)
    verdict = explain(state, tail)
    advice = state.outcome.advice if state.outcome else None
    # How one ended that was given up says nothing: we ended it.
    ended = LastExit(
        exit_code=exit_code,
        signal=number,
        cause=failure or verdict.cause,
        advice=(failure and advice) or verdict.advice,
        log_tail=tail[-LOG_LINES_TO_SHOW:] if failure or verdict.evidence else [],
    )
    return ended, verdict.evidence or (tuple(ended.log_tail) if failure else ())


def explain(state: RunState, log_lines: Sequence[str]) -> Diagnosis:
    """Return cause and advice for a run that ended by itself, or that never became ready."""
    keeper, launch = state.keeper, state.run.launch
    if keeper and keeper.spawn_error:
        return Diagnosis(
            f"the system would not execute {launch.engine.path}: {keeper.spawn_error.text}",
            "Check that it is a llama-server for this system, or pass another llama_cpp_path.",
            (),
        )
    if state.run.has_lost_its_keeper():
        return Diagnosis(*_how_the_keeper_went(state.run), tuple(log_lines[-3:]))
    if state.has_ended_below:
        return _ended_below(state, log_lines)
    exit_code, number = _ending(keeper)
    if keeper and keeper.exit and keeper.exit.left_others and exit_code == 0:
        return _left_in_background(state, log_lines)
    if exit_code == 0 and not state.was_ready and not ports.is_free(launch.port):
        return _started_elsewhere(state, log_lines)
    facts = replace(launch_facts(launch), lost_workers=_lost_workers(launch))
    return diagnose(exit_code, number, log_lines, facts)


def _lost_workers(launch: Launch) -> tuple[str, ...]:
    """Return the RPC workers of a launch that are gone now, each with what is seen of it."""
    if not launch.worker_addresses:
        return ()
    # What was seen before the end says nothing.
    looks = look_at(launch.worker_addresses, _LOOK_SECONDS, max_age_seconds=0.0)
    return tuple(f"{look.address} ({look.problem})" for look in looks if look.is_gone)


def _how_the_keeper_went(run: Run) -> tuple[str, str]:
    """Return cause and advice for a run whose keeper is gone without a record of the end."""
    place, ours = place_of(run), places.here()
    if place is not None and not places.is_same_boot(place):
        return "the machine was started again while it ran", "Start it again."
    if place is not None and place.namespaces != ours.namespaces and place.namespaces:
        return "the container that it ran in is gone", "Start it again."
    return (
        "its keeper process is gone and has left no record of the end, and it ended with it",
        "Start it again. The system's log (journalctl -k, dmesg) tells of processes that the "
        "system ended for want of memory.",
    )


def _left_in_background(state: RunState, log_lines: Sequence[str]) -> Diagnosis:
    when = "" if state.was_ready else " at once"
    return Diagnosis(
        f"the executable ended{when} without an error, and what it had started lived on: a wrapper "
        "that puts llama-server into the background cannot be looked after",
        f'Let {state.run.launch.engine.path} end with exec llama-server "$@", so that it becomes '
        "llama-server; what it had left running was ended.",
        tuple(log_lines[-3:]),
    )


def _ended_below(state: RunState, log_lines: Sequence[str]) -> Diagnosis:
    wrapper = state.run.launch.engine.path
    return Diagnosis(
        f"llama-server has ended, and {wrapper}, which had started it, lives on and does not say "
        "how it ended",
        f'Start it again. If {wrapper} ends with exec llama-server "$@", the next such end is told '
        "with its exit code.",
        tuple(log_lines[-3:]),
    )


def _started_elsewhere(state: RunState, log_lines: Sequence[str]) -> Diagnosis:
    launch = state.run.launch
    return Diagnosis(
        f"the executable ended at once without an error, and {ports.describe_holder(launch.port)} "
        f"listens on its port {launch.port}",
        f"If {launch.engine.path} is a wrapper that has started this in the background: it cannot "
        "be looked after, so end it, and let the wrapper stay as long as llama-server (docker run "
        'without -d, exec llama-server "$@").',
        tuple(log_lines[-3:]),
    )


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
        memory_available_bytes=available_bytes(),
        fitting_ctx_size=launch.fitting_ctx_size,
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
    explained = _explain_ending(state)
    if explained is None:
        return StartInterruptedError()
    ended, evidence = explained
    return StartFailedError(_what_happened(state, ended), ended.advice, evidence)


def crash_error(state: RunState) -> CrashedError:
    """Return the error for a llama-server that died after it was ready."""
    explained = _explain_ending(state)
    if explained is None:
        return CrashedError("its process is gone", "", ())
    ended, evidence = explained
    error = CrashedError(_what_happened(state, ended), ended.advice, evidence)
    # What was too much for the memory is too much for it again.
    tail = read_log_tail(state.run.log_path, LOG_LINES_FOR_DIAGNOSIS)
    error.can_go_on = not was_short_of_memory(ended.exit_code, tail)
    return error


def restart_note(crashed: RunState) -> str:
    """Say why a llama-server has been started again, to who waited for it meanwhile."""
    ended = last_exit(crashed)
    cause = f": {_what_happened(crashed, ended)}" if ended else ""
    return f"llama-server was started again after a crash{cause}."


def describe_unloading(launch: Launch) -> str:
    """Say why a llama-server was unloaded; a sentence without its end."""
    return f"{launch.alias} was unloaded after {launch.idle_seconds:g} s without a turn"


def return_note(unloaded: Launch, launched: Launch) -> str:
    """Say why a llama-server was started again that had been unloaded, to who waited for it."""
    old, new = unloaded.port, launched.port
    moved = "" if old == new else f" It listens on port {new} now, since {old} was taken."
    idle = f"{unloaded.idle_seconds:g} s without a turn"
    again = f"{unloaded.alias} was started again for this call: it had been unloaded after {idle}."
    return f"{again}{moved}"


def unreadable_error(state: UnreadableState) -> UnreadableRunError:
    """Return the error for a call that needs the record of a run that lives."""
    return UnreadableRunError(str(state.run.folder), state.pid, state.run.problem)


def not_running_error(state: RunState | None, runs_dir: Path) -> NotRunningError:
    """Return the error for a chat that finds no llama-server.

    Args:
        state: what ran last.
        runs_dir: where runs are, those of elsewhere too.
    """
    ended = last_exit(state) if state else None
    last = f"the last one did not start: {ended.cause}. {ended.advice}" if ended else None
    return NotRunningError(last, neighbours.describe(runs_dir))


def _what_happened(state: RunState, ended: LastExit) -> str:
    was_given_up = state.outcome is not None and state.outcome.failure
    is_known = ended.exit_code is not None or ended.signal is not None
    ending = describe_ending(state)
    is_named = ending.removeprefix("ended by ").split(" (")[0] in ended.cause
    if was_given_up or is_named or not is_known:
        return ended.cause
    return f"{ended.cause} ({ending})"


def _ending(keeper: KeeperState | None) -> tuple[int | None, int | None]:
    if keeper is None or keeper.exit is None:
        return None, None
    return keeper.exit.exit_code, keeper.exit.signal
