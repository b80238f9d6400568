"""Has programs set up by `llama-mcp install`, as their users would, and asks their own lists.

In a home of its own each gets the entry, shows it in its list, is set up again without a change,
loses the entry, and shows that too.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import end_leftovers
from tests.support.tiny_model import write_tiny_model

from clients.programs.program import Program, SetUp
from clients.trials.installing import NotInstalledError, install
from clients.trials.running import environment
from clients.trials.trying import Trial

ROW = "{:<18} {:<9} {}"
# Nobody listens there.
NOWHERE = "http://127.0.0.1:9"
LIMIT_SECONDS = 150
_TERMINAL_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class NotAsPromisedError(Exception):
    """A step did not do what it should; says what was seen."""


@dataclass(frozen=True)
class Outcome:
    """What came of one program: what its row says, and what was not as promised."""

    program: Program
    said: str
    problem: str = ""


def set_programs_up(programs: Iterable[Program], trial: Trial, pool: Executor) -> Iterator[str]:
    """Set up each program that has a list of its own; print a table, yield what went wrong."""
    listed = [program for program in programs if program.set_up]
    print(ROW.format("program", "version", "set up by `llama-mcp install`"), flush=True)
    for outcome in pool.map(lambda program: _outcome(program, trial), listed):
        print(ROW.format(outcome.program.name, outcome.program.version, outcome.said), flush=True)
        if outcome.problem:
            yield f"{outcome.program.name}, set up by `llama-mcp install`: {outcome.problem}"


def _outcome(program: Program, trial: Trial) -> Outcome:
    assert program.set_up is not None
    folder = trial.folder / f"{program.folder}-set-up"
    try:
        installed = install(program)
        shown = _walk(program.set_up, installed, trial, folder)
    except NotInstalledError as why:
        return Outcome(program, f"skipped, {why}")
    except (NotAsPromisedError, subprocess.TimeoutExpired) as why:
        return Outcome(program, "FAILED", str(why))
    finally:
        left = end_leftovers(folder)
    if left:
        return Outcome(program, "FAILED", f"left running: {left}")
    return Outcome(program, f"its own list says: {shown}")


def _walk(set_up: SetUp, installed: Path, trial: Trial, folder: Path) -> str:
    """Take all steps; return what the program's own list said of llama-mcp."""
    home, programs = folder / "user-home", folder / "bin"
    for each in (home, programs, folder / "temporary"):
        each.mkdir(parents=True)
    launcher = " ".join(f"'{part}'" for part in set_up.launcher(installed, trial.node))
    command = programs / set_up.command
    command.write_text(f'#!/bin/sh\nexec {launcher} "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    variables = environment(home, NOWHERE) | dict(set_up.variables)
    variables["PATH"] = f"{programs}{os.pathsep}{variables['PATH']}"
    # Where this repository lies in a folder for temporary files, its command is no passing one.
    variables["TMPDIR"] = str(folder / "temporary")
    model = write_tiny_model(folder / "tiny.gguf")
    settings = {"HOME": folder / "llama-mcp", "LLAMA_CPP_PATH": "embedded", "MODEL_PATH": model}
    given = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]

    def ours(verb: str, *more: str) -> str:
        said = _run([trial.command, verb, set_up.client, "--json", *more], home, variables)
        return str(json.loads(said)["clients"][0]["state"])

    def listed() -> str:
        return _run([str(command), "mcp", "list"], home, variables)

    _must(ours("install", *given), "added")
    shown = re.search(set_up.shows, listed())
    if shown is None:
        raise NotAsPromisedError(f"its own list says: {listed()}")
    _must(ours("install", *given), "already there")
    _must(ours("uninstall"), "removed")
    if re.search(set_up.shows, after := listed()):
        raise NotAsPromisedError(f"after `llama-mcp uninstall` its own list says: {after}")
    return re.sub(r"\s+", " ", re.sub(r"/\S+", "", shown[0]))


def _must(state: str, wanted: str) -> None:
    if state != wanted:
        raise NotAsPromisedError(f"llama-mcp says {state} instead of {wanted}")


def _run(command: list[str], home: Path, variables: dict[str, str]) -> str:
    """Run a command; return what it printed, without what only a terminal shows."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=home,
        env=variables,
        encoding="utf-8",
        errors="replace",
        timeout=LIMIT_SECONDS,
        check=False,
    )
    if done.returncode:
        said = f"{done.stdout}\n{done.stderr}"
        raise NotAsPromisedError(f"{command[0]} {command[1]} ended with {done.returncode}: {said}")
    # Some print their lists on stderr.
    return _TERMINAL_CODES.sub("", f"{done.stdout}{'' if '--json' in command else done.stderr}")
