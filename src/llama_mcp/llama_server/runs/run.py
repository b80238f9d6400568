"""Runs of llama-server on disk: what was asked, what the keeper says of it, and how it came out.

Each launch has a folder of its own under runs/, so that a keeper that is slow to leave never
writes into its successor's files; `current.json` names the one that counts.
"""

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from llama_mcp.keeper import identity, run_dir
from llama_mcp.llama_server.errors import StateFolderError
from llama_mcp.llama_server.runs.records import KeeperState, Launch, Outcome, Pointer

CURRENT = "current.json"
OUTCOME = "outcome.json"
# Its existence says that llama-server was found to generate nothing any more.
UNRESPONSIVE = "unresponsive"
# Ended runs are kept for their logs.
KEPT_RUNS = 5

Record = TypeVar("Record", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Run:
    """One launch of llama-server; its properties read the files anew each time."""

    folder: Path
    launch: Launch

    @property
    def log_path(self) -> Path:
        """What llama-server printed."""
        return self.folder / run_dir.LOG

    @property
    def leases_dir(self) -> Path:
        """One locked file for each llama-mcp that uses it."""
        return self.folder / run_dir.LEASES

    def state(self) -> KeeperState | None:
        """Return what the keeper recorded last; None before it has spawned anything."""
        return _read(self._path(run_dir.STATE), KeeperState)

    def outcome(self) -> Outcome | None:
        """Return how loading came out; None while nobody knows."""
        return _read(self._path(OUTCOME), Outcome)

    def record_outcome(self, outcome: Outcome) -> None:
        """Record how loading came out."""
        run_dir.write_whole(str(self.folder / OUTCOME), outcome.model_dump(mode="json"))

    def mark_unresponsive(self, is_unresponsive: bool) -> None:
        """Record that llama-server generates nothing any more, or that it does again."""
        marker = self.folder / UNRESPONSIVE
        if is_unresponsive:
            marker.touch(0o600)
        else:
            marker.unlink(missing_ok=True)

    def is_unresponsive(self) -> bool:
        """Tell whether llama-server was found to generate nothing."""
        return os.path.exists(self._path(UNRESPONSIVE))

    def request_stop(self) -> None:
        """Ask the keeper to stop llama-server; it looks twice a second, sooner when signalled."""
        (self.folder / run_dir.STOP).touch(0o600)

    def is_ending(self) -> bool:
        """Tell whether somebody asked for a stop, or nobody has used it for too long."""
        return any(os.path.exists(self._path(name)) for name in (run_dir.STOP, run_dir.UNUSED))

    def _path(self, name: str) -> str:
        # Not Path's own join: a look takes ten of them, and each would cost as much as a file.
        return f"{self.folder}{os.sep}{name}"


def current_run(runs_dir: Path) -> Run | None:
    """Return the launch that counts; None when there never was one."""
    pointer = _read(f"{runs_dir}{os.sep}{CURRENT}", Pointer)
    if pointer is None:
        return None
    folder = _join(runs_dir, pointer.run)
    launch = _read(f"{folder}{os.sep}{run_dir.LAUNCH}", Launch)
    return Run(folder, launch) if launch else None


def create_run(runs_dir: Path, launch: Launch) -> Run:
    """Write a new run and make it the one that counts; older ones are cleared away.

    Raises:
        StateFolderError: the folder cannot be written.
    """
    with state_folder_errors(runs_dir):
        return _write_run(runs_dir, launch)


@contextmanager
def state_folder_errors(runs_dir: Path) -> Iterator[None]:
    """Turn what the file system raises into an error that says what to do."""
    try:
        yield
    except OSError as error:
        raise StateFolderError(str(runs_dir), error.strerror or str(error)) from error


def _write_run(runs_dir: Path, launch: Launch) -> Run:
    make_private_folder(runs_dir)
    name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()) + "-" + secrets.token_hex(3)
    run = Run(runs_dir / name, launch)
    run.folder.mkdir(mode=0o700)
    run.leases_dir.mkdir(mode=0o700)
    run_dir.write_whole(str(run.folder / run_dir.LAUNCH), launch.model_dump(mode="json"))
    run_dir.write_whole(str(runs_dir / CURRENT), {"run": name})
    _clear_old_runs(runs_dir, run.folder)
    return run


@lru_cache(maxsize=32)
def _join(folder: Path, name: str) -> Path:
    return folder / name


def _read(path: str, kind: type[Record]) -> Record | None:
    """Return the record at path; None when there is no such file or it holds no such record."""
    try:
        with open(path, "rb") as file:
            record: Record = _parse(kind, file.read())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return record


# Every look reads the files anew, but they seldom say anything new.
@lru_cache(maxsize=32)
def _parse(kind: type[Record], content: bytes) -> Record:
    return kind.model_validate_json(content)


def make_private_folder(folder: Path) -> None:
    """Create the folder and what is missing above it, for its owner only."""
    # Not mkdir(parents=True): that gives the parents the mode of the umask.
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)


def _clear_old_runs(runs_dir: Path, current: Path) -> None:
    # By the time of their last change: names go by a clock that may have been set back.
    folders = [entry for entry in runs_dir.iterdir() if entry.is_dir() and entry != current]
    folders.sort(key=lambda folder: folder.stat().st_mtime)
    for folder in folders[: -(KEPT_RUNS - 1)]:
        if not _has_live_process(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _has_live_process(folder: Path) -> bool:
    state: dict[str, Any] = run_dir.read_whole(str(folder / run_dir.STATE)) or {}
    records = (state.get("keeper"), state.get("llama_server"))
    return any(
        record and identity.is_same_process(record["pid"], record["start"]) for record in records
    )
