"""Which run counts of each model: a run belongs to the name of its model.

Runs lie side by side. `current.json` names the one that was launched last, of whatever model, and
`current.<digest>.json` the last one of each model. An older llama-mcp knows the former only, so it
counts before the latter.
"""

import hashlib
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from llama_mcp.keeper import run_dir
from llama_mcp.llama_server.runs.places import here
from llama_mcp.llama_server.runs.plain_run import CURRENT
from llama_mcp.llama_server.runs.run import (
    Run,
    UnreadableRun,
    current_run,
    is_here,
    named_folder,
    read_run,
)

_POINTER = re.compile(r"current\.[0-9a-f]{16}\.json")
# Models of which more is remembered than that they ran once; those that run stay besides.
REMEMBERED_MODELS = 16


def latest_runs(runs_dir: Path) -> list[Run | UnreadableRun]:
    """Return the last run of each model, that which was launched last first."""
    current = current_run(runs_dir)
    found: dict[str, Run] = {current.launch.alias: current} if isinstance(current, Run) else {}
    for pointer in _pointers(runs_dir):
        folder = named_folder(runs_dir, pointer)
        if folder is not None and isinstance(run := read_run(folder), Run) and is_here(run):
            found.setdefault(run.launch.alias, run)
    others = (run for run in found.values() if run is not current)
    latest = sorted(others, key=lambda run: run.launch.at, reverse=True)
    return [*([current] if current else []), *latest]


def pointers_in(runs_dir: Path) -> list[str]:
    """Return the paths of the files that name the runs, whether they are there or not."""
    names = [CURRENT, *_pointers(runs_dir)]
    return [f"{runs_dir}{os.sep}{name}" for name in names]


def are_all_that_are_named(runs_dir: Path, runs: Sequence[Run | UnreadableRun]) -> bool:
    """Tell whether runs are those that the pointers name, each launched here beyond doubt.

    One that is not named was found by looking at all folders. Of one that was launched elsewhere a
    lock tells whether it is to be judged here.
    """
    named = {named_folder(runs_dir, name) for name in [CURRENT, *_pointers(runs_dir)]}
    found = {run.folder for run in runs if isinstance(run, Run) and run.launch.place == here()}
    return named == found


def make_current(runs_dir: Path, run: Run) -> None:
    """Make a run the one that was launched last, and the last one of its model."""
    before = current_run(runs_dir)
    # One that an older llama-mcp has launched has no pointer of its model yet.
    for each in (before, run):
        if isinstance(each, Run):
            pointer = _pointer_of(each.launch.alias)
            run_dir.write_whole(str(runs_dir / pointer), {"run": each.name})
    run_dir.write_whole(str(runs_dir / CURRENT), {"run": run.name})


def forget_oldest(runs_dir: Path) -> None:
    """Take away the pointers to runs that are gone, and the oldest of too many to ended ones."""
    gone = [name for name in _pointers(runs_dir) if named_folder(runs_dir, name) is None]
    for name in gone:
        with suppress(OSError):
            os.unlink(runs_dir / name)
    ended = [
        run
        for run in latest_runs(runs_dir)
        if isinstance(run, Run) and ((state := run.state()) is None or state.says_how_it_ended)
    ]
    for run in ended[REMEMBERED_MODELS:]:
        with suppress(OSError):
            os.unlink(runs_dir / _pointer_of(run.launch.alias))


def _pointer_of(model: str) -> str:
    # A digest, since a model's name may be none for a file, or one with another case.
    digest = hashlib.sha256(model.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"current.{digest}.json"


def _pointers(runs_dir: Path) -> list[str]:
    try:
        return sorted(filter(_POINTER.fullmatch, os.listdir(runs_dir)))
    except (FileNotFoundError, NotADirectoryError):
        return []
