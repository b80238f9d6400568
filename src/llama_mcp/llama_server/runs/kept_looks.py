"""What looks at a home's runs have found: which they are, and what each of them does.

A run that is over for good stays so. Of one that is ready the last look is kept until a file of it
changes or one of its processes ends. Every other state changes with time, and is read again.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from llama_mcp.keeper import run_dir
from llama_mcp.llama_server.runs.kept import Kept, Stamps, Watched
from llama_mcp.llama_server.runs.of_models import (
    are_all_that_are_named,
    latest_runs,
    pointers_in,
)
from llama_mcp.llama_server.runs.records import ProcessRecord
from llama_mcp.llama_server.runs.run import Run, RunFolder, UnreadableRun
from llama_mcp.llama_server.runs.run_state import RunState, UnreadableState
from llama_mcp.llama_server.status import ServerState

Runs = Sequence[Run | UnreadableRun]


class KeptLooks:
    """What this process knows of one home's runs from looks before."""

    def __init__(self, runs_dir: Path) -> None:
        self._runs_dir = runs_dir
        self._runs: Kept[Runs] | None = None
        self._ready: dict[Path, Kept[RunState]] = {}
        # A home remembers more of those that are over than run.
        self._over: dict[Path, RunState] = {}

    def runs(self) -> Runs:
        """Return the last run of each model, that which was launched last first."""
        if self._runs is not None and self._runs.still_holds():
            return self._runs.value
        runs = latest_runs(self._runs_dir)
        launches = [f"{run.folder}{os.sep}{run_dir.LAUNCH}" for run in runs]
        stamps = Stamps([str(self._runs_dir), *pointers_in(self._runs_dir), *launches])
        can_keep = stamps.are_old() and are_all_that_are_named(self._runs_dir, runs)
        # Read once more, since the stamps have to be older than what was read.
        is_same = can_keep and latest_runs(self._runs_dir) == runs
        self._runs = Kept(runs, stamps, Watched()) if is_same else None
        self._forget_all_but({run.folder for run in runs})
        return runs

    def state_of(self, run: RunFolder) -> RunState | None:
        """Return the state of a run that no look would find another; None when it must be read."""
        if (over := self._over.get(run.folder)) is not None:
            return over
        kept = self._ready.get(run.folder)
        if kept is None:
            return None
        if kept.still_holds():
            return kept.value
        self._forget(run.folder)
        return None

    def keep(self, state: RunState | UnreadableState, stamps: Stamps) -> None:
        """Keep a state that was read, if it can be kept.

        Args:
            state: of a run.
            stamps: of the run's records, taken before they were read.
        """
        self._forget(state.run.folder)
        if not isinstance(state, RunState):
            return
        if state.is_over_for_good:
            self._over[state.run.folder] = state
        elif state.state is ServerState.READY and stamps.are_old():
            watched = _watch(state)
            if watched is not None:
                self._ready[state.run.folder] = Kept(state, stamps, watched)

    def forget_all(self) -> None:
        """Forget everything, and watch no process any more."""
        self._runs = None
        self._forget_all_but(())

    def _forget_all_but(self, folders: Iterable[Path]) -> None:
        for folder in {*self._ready, *self._over}.difference(folders):
            self._forget(folder)
            self._over.pop(folder, None)

    def _forget(self, folder: Path) -> None:
        if kept := self._ready.pop(folder, None):
            kept.watched.close()


def _watch(state: RunState) -> Watched | None:
    """Watch every process by whose end a run that is ready would not be so any more."""
    watched = Watched()
    if all(map(watched.add, _processes_of(state))):
        return watched
    watched.close()
    return None


def _processes_of(state: RunState) -> list[ProcessRecord]:
    keeper, outcome = state.keeper, state.outcome
    if keeper is None or keeper.llama_server is None:
        return []
    # Of what a wrapper has started one is enough; any of them says when to look again.
    listeners = outcome.listeners if outcome else []
    return [keeper.keeper, keeper.llama_server, *(each for each in listeners if each.is_alive())]
