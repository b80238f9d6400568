"""Tries one program: installs it, runs it twice, and has both runs judged."""

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from clients.programs.program import Program, Situation
from clients.scripted_model.scenario import Asked
from clients.scripted_model.server import ScriptedModel
from clients.trials.installing import NotInstalledError, install
from clients.trials.judging import judge_long, judge_short
from clients.trials.running import LEAVE_SECONDS, Ended, run
from clients.trials.scenarios import prepare
from clients.trials.verdict import Attempt, is_final
from clients.trials.yardstick import measured_seconds


@dataclass(frozen=True)
class Trial:
    """Where and with what programs are tried: a folder, a Node, llama-mcp, its tools' names."""

    folder: Path
    node: str
    command: str
    tools: frozenset[str]


@dataclass(frozen=True)
class Outcome:
    """What came of one program.

    Attributes:
        program: The program.
        install_seconds: How long its installation took, no time when it was there.
        run_seconds: How long all runs took.
        attempts: Its runs of each kind, in order; the last ones make its row.
        broke: Why it could not be tried to the end, with nothing to judge.
        skipped: Why it was not tried.
    """

    program: Program
    install_seconds: float = 0
    run_seconds: float = 0
    attempts: tuple[tuple[Attempt, ...], ...] = ()
    broke: str = ""
    skipped: str = ""


def try_program(program: Program, trial: Trial) -> Outcome:
    """Install a program and run it twice; what goes wrong is in the outcome."""
    began = time.monotonic()
    try:
        installed = install(program)
    except NotInstalledError as why:
        return Outcome(program, skipped=str(why))
    ready = time.monotonic()
    try:
        attempts = tuple(_kinds(program, installed, trial))
    except (OSError, RuntimeError, subprocess.SubprocessError, psutil.Error) as error:
        return Outcome(program, broke=f"{type(error).__name__}: {error}")
    return Outcome(program, ready - began, time.monotonic() - ready, attempts)


def _kinds(program: Program, installed: Path, trial: Trial) -> Iterator[tuple[Attempt, ...]]:
    """Yield the attempts of both kinds of run; one that hung is not followed by the other."""
    for is_killed in (False, True):
        attempts = _attempts(program, installed, trial, is_killed=is_killed)
        yield attempts
        if attempts[-1].is_late:
            return


def _attempts(
    program: Program, installed: Path, trial: Trial, *, is_killed: bool
) -> tuple[Attempt, ...]:
    """Run it until all is as promised, or another run would tell nothing more."""
    kind = "killed" if is_killed else "ended"
    attempts: tuple[Attempt, ...] = ()
    began = time.monotonic()
    while not is_final(attempts, time.monotonic() - began):
        folder = trial.folder / f"{program.folder}-{kind}-{len(attempts) + 1}"
        attempts += (_attempt(program, installed, trial, folder, is_killed=is_killed),)
    return attempts


def _attempt(
    program: Program, installed: Path, trial: Trial, folder: Path, *, is_killed: bool
) -> Attempt:
    """Return what came of one run; of one that is not as promised, with all that was seen."""
    home = folder / "user-home"
    home.mkdir(parents=True)
    prepared = prepare(folder, program, is_long=is_killed)
    scenario, settings = prepared.scenario, prepared.settings
    with ScriptedModel(scenario, keeps_silent=is_killed) as model:
        situation = Situation(installed, trial.node, trial.command, settings, home, model.url)
        invocation = program.invocation(situation)
        patience = prepared.linger_seconds + LEAVE_SECONDS
        ended = run(invocation, model, home, is_killed=is_killed, patience=patience)
    questions = [exchange.asked for exchange in model.exchanges if exchange.asked.shown]
    if is_killed:
        found = tuple(judge_long(scenario, questions, ended))
    else:
        found = tuple(judge_short(scenario, questions, ended, trial.tools, program.hides_tools))
    if all(finding.is_right for finding in found):
        return Attempt(found)
    tried = ["it tried to reach:", *sorted(set(model.others)), *model.errors]
    seen = (*_evidence(questions, ended), *tried, *_keepers_words(folder))
    return Attempt(found, ended.is_late, measured_seconds(), seen)


def _evidence(questions: list[Asked], ended: Ended) -> list[str]:
    """Return lines that tell what happened in a run."""
    told = [f"{call.name}: {call.result}" for asked in questions[-1:] for call in asked.answered]
    model = [f"the model was asked {len(questions)} times and told:", *told]
    return [*model, "the program printed:", ended.output]


def _keepers_words(folder: Path) -> Iterator[str]:
    """Yield what the keepers of a run said, and what used their llama-servers to the end."""
    for log in sorted(folder.glob("llama-mcp/runs/*/keeper.log")):
        yield "a keeper said:"
        yield log.read_text(encoding="utf-8", errors="replace")
        uses = [*log.parent.glob("leases/*"), *log.parent.glob("streams/*")]
        yield f"leases and streams: {[file.name for file in uses]}"
