"""Runs of llama-server on disk, read: what was asked, what the keeper says, how loading came out.

Each launch has a folder of its own under runs/, so that a keeper that is slow to leave never
writes into its successor's files; `current.json` names the one that was launched last. Which one
counts of each model is told by of_models.py.
"""

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from llama_mcp.keeper import clock, run_dir, sharing
from llama_mcp.llama_server.runs import places
from llama_mcp.llama_server.runs.plain_run import CURRENT
from llama_mcp.llama_server.runs.records import (
    KeeperState,
    Launch,
    LoadingOutcome,
    Pointer,
    seconds_since,
)

Record = TypeVar("Record", bound=BaseModel)
# More than a home has of the models that it remembers (of_models.py): four each.
_REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of one launch of llama-server; every method reads the files again."""

    folder: Path

    @property
    def name(self) -> str:
        """What identifies the run."""
        return self.folder.name

    @property
    def log_path(self) -> Path:
        """What llama-server printed."""
        return self.folder / run_dir.LOG

    @property
    def leases_dir(self) -> Path:
        """One locked file for each llama-mcp that uses it."""
        return self.folder / run_dir.LEASES

    @property
    def record_paths(self) -> list[str]:
        """The folder, and the records in it that say more than by being there."""
        names = (run_dir.LAUNCH, run_dir.STATE, run_dir.OUTCOME)
        return [str(self.folder), *map(self._path, names)]

    def state(self) -> KeeperState | None:
        """Return what the keeper recorded last; None before it has spawned anything."""
        return _read_or_none(self._path(run_dir.STATE), KeeperState)

    def has_lost_its_keeper(self) -> bool:
        """Tell whether the keeper is gone without having recorded how llama-server ended."""
        state = self.state()
        if state is None or state.says_how_it_ended or state.keeper.is_alive():
            return False
        state = self.state()  # it may have recorded the ending and left since
        return state is not None and not state.says_how_it_ended

    def outcome(self) -> LoadingOutcome | None:
        """Return how loading came out; None while nobody knows."""
        return _read_or_none(self._path(run_dir.OUTCOME), LoadingOutcome)

    def record_outcome(self, outcome: LoadingOutcome) -> None:
        """Record how loading came out."""
        run_dir.write_whole(str(self.folder / run_dir.OUTCOME), outcome.model_dump(mode="json"))

    def mark_unresponsive(self, is_unresponsive: bool) -> None:
        """Record that llama-server generates nothing any more, or that it does again."""
        marker = self.folder / run_dir.UNRESPONSIVE
        if is_unresponsive:
            sharing.insist(lambda: marker.touch(0o600))
        else:
            sharing.insist(lambda: marker.unlink(missing_ok=True))

    def is_unresponsive(self) -> bool:
        """Tell whether llama-server was found to generate nothing."""
        return os.path.exists(self._path(run_dir.UNRESPONSIVE))

    def request_stop(self, *, at_once: bool = False) -> None:
        """Ask the keeper to stop llama-server; it looks twice a second, sooner when signalled.

        Args:
            at_once: without saving prompt caches first.
        """
        path = self.folder / run_dir.STOP
        if not at_once:
            path.touch(0o600)
            return
        whole = path.with_name(f"{run_dir.STOP}.{os.getpid()}.tmp")
        whole.write_text(run_dir.AT_ONCE, encoding="ascii")
        sharing.replace(str(whole), str(path))

    def is_stop_requested(self) -> bool:
        """Tell whether somebody asked for a stop."""
        return os.path.exists(self._path(run_dir.STOP))

    def is_unused(self) -> bool:
        """Tell whether its keeper ends it because nobody has used it for too long."""
        return os.path.exists(self._path(run_dir.UNUSED))

    def is_unloaded(self) -> bool:
        """Tell whether its keeper ends it, or has, until the next turn: nobody asks for a stop.

        One that was announced may still be taken back.
        """
        if not self.is_unused():
            return False
        try:
            announced = run_dir.read_whole(self._path(run_dir.UNUSED)) or {}
        except OSError:
            return False
        return announced.get(run_dir.REASON) == run_dir.IDLE and not self.is_stop_requested()

    def unloaded_at(self) -> float:
        """Return when the end of one that is unloaded was announced; seconds since 1970."""
        return changed_at(self.folder / run_dir.UNUSED)

    def note_use(self) -> None:
        """Let the keeper see that a turn begins, goes on or ends: by the time of a file."""
        path = self._path(run_dir.USED)
        # The clock that nobody sets, where a file has the time when it was read: nobody reads it.
        # Not the kernel's own time, which stays the same for milliseconds.
        times = int(clock.seconds() * 1e9), time.time_ns()
        with suppress(OSError):
            try:
                os.utime(path, ns=times)
            except FileNotFoundError:
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
                os.utime(path, ns=times)

    def is_ending(self) -> bool:
        """Tell whether somebody asked for a stop, or nobody has used it for too long."""
        return self.is_stop_requested() or self.is_unused()

    def _path(self, name: str) -> str:
        # Not Path's own join: each state takes ten of them, which would cost as much as the files.
        return f"{self.folder}{os.sep}{name}"


@dataclass(frozen=True, slots=True)
class Run(RunFolder):
    """One launch of llama-server."""

    launch: Launch

    def quiet_seconds(self) -> float:
        """Return how long ago a turn used llama-server last; since it got ready if none did."""
        with suppress(OSError):
            used = os.stat(self._path(run_dir.USED))
            return seconds_since(used.st_atime, used.st_mtime)
        outcome = self.outcome()
        loading_seconds = (outcome and outcome.ready_after_seconds) or 0.0
        return max(0.0, self.launch.age_seconds - loading_seconds)


@dataclass(frozen=True, slots=True)
class UnreadableRun(RunFolder):
    """A run whose launch.json cannot be read. It can be stopped, but not joined or used."""

    problem: str
    """What is wrong with launch.json, in words."""


def current_run(runs_dir: Path) -> Run | UnreadableRun | None:
    """Return the run that counts here; None when there never was one.

    That is the one that current.json names. If current.json cannot be read, or names a run of
    elsewhere, it is the run of this place whose folder was changed last.
    """
    named = named_folder(runs_dir, CURRENT)
    if named is not None and is_here(run := read_run(named)):
        return run
    for folder in sorted(set(run_folders(runs_dir)) - {named}, key=changed_at, reverse=True):
        if is_here(run := read_run(folder)):
            return run
    return None


def read_run(folder: Path) -> Run | UnreadableRun:
    """Return the run of a folder."""
    try:
        return Run(folder, read_launch(folder))
    except (OSError, ValueError) as error:
        return UnreadableRun(folder, f"{run_dir.LAUNCH}: {_problem(error)}")


def read_launch(folder: Path) -> Launch:
    """Return what a run's launch.json says.

    Raises:
        OSError, ValueError: it cannot be read.
    """
    return _read(f"{folder}{os.sep}{run_dir.LAUNCH}", Launch)


def is_here(run: Run | UnreadableRun) -> bool:
    """Tell whether a run is of this place, and so to be judged by the processes of this place."""
    place = place_of(run)
    return place is None or places.is_here(place, str(run.folder), places.here())


def place_of(run: Run | UnreadableRun) -> places.Place | None:
    """Return where a run was launched; None when its records do not say."""
    if isinstance(run, Run) and run.launch.place is not None:
        return run.launch.place
    state = run.state()
    return places.of_older_record(state.keeper.start) if state else None


def named_folder(runs_dir: Path, pointer_name: str) -> Path | None:
    """Return the folder of the run that a pointer names, if it is there."""
    try:
        pointer = _read(f"{runs_dir}{os.sep}{pointer_name}", Pointer)
        folder = _join(runs_dir, pointer.run)
        return folder if os.path.isdir(folder) else None
    except (OSError, ValueError):
        return None


def run_folders(runs_dir: Path) -> list[Path]:
    """Return the folders of all runs that are kept, in no order."""
    try:
        return [entry for entry in runs_dir.iterdir() if entry.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def changed_at(path: Path) -> float:
    """Return when a folder or file last changed; 0 for one that another process has just removed.

    Runs are ordered by it and not by their names: a clock that was set back gives older names.
    """
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


@lru_cache(maxsize=_REMEMBERED)
def _join(folder: Path, name: str) -> Path:
    return folder / name


def _read_or_none(path: str, kind: type[Record]) -> Record | None:
    """Return the record at path; None when there is no such file or it holds no such record."""
    try:
        return _read(path, kind)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def _read(path: str, kind: type[Record]) -> Record:
    record: Record = _parse(kind, sharing.read_bytes(path))
    return record


# The state is read often, but the files seldom say anything new.
@lru_cache(maxsize=_REMEMBERED)
def _parse(kind: type[Record], content: bytes) -> Record:
    # Not pydantic's own JSON: that takes no lone surrogate, which is how Python writes a byte of a
    # path or a variable that is no UTF-8. The keeper reads launch.json by the same means.
    try:
        return kind.model_validate(json.loads(content))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _problem(error: OSError | ValueError) -> str:
    """Say why a record cannot be read, without repeating what it holds: it may hold an API key."""
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    if not isinstance(error, ValidationError):
        return str(error)
    fault = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in fault["loc"])
    return f"{where}: {fault['msg']}" if where else fault["msg"]
