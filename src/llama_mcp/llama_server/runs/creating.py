"""A new run's folder: written, made the one that counts, and older ones cleared away."""

import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llama_mcp.keeper import identity, run_dir
from llama_mcp.llama_server.errors import StateFolderError
from llama_mcp.llama_server.runs.records import LAUNCH_FORMAT, Launch
from llama_mcp.llama_server.runs.run import CURRENT, Run, changed_at, run_folders

# Ended runs are kept for their logs.
KEPT_RUNS = 5


def create_run(runs_dir: Path, launch: Launch) -> Run:
    """Write a new run and make it the one that counts; older ones are cleared away.

    Raises:
        StateFolderError: the folder cannot be written.
    """
    with state_folder_errors(runs_dir):
        return _write_run(runs_dir, launch.model_copy(update={"format": LAUNCH_FORMAT}))


@contextmanager
def state_folder_errors(runs_dir: Path) -> Iterator[None]:
    """Turn what the file system raises into an error that says what to do."""
    try:
        yield
    except OSError as error:
        raise StateFolderError(str(runs_dir), error.strerror or str(error)) from error


def make_private_folder(folder: Path) -> None:
    """Create the folder and what is missing above it, for its owner only."""
    # Not mkdir(parents=True): that gives the parents the mode of the umask.
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)


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


def _clear_old_runs(runs_dir: Path, current: Path) -> None:
    older = sorted(set(run_folders(runs_dir)) - {current}, key=changed_at)
    for folder in older[: -(KEPT_RUNS - 1)]:
        if not _has_live_process(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _has_live_process(folder: Path) -> bool:
    state: dict[str, Any] = run_dir.read_whole(str(folder / run_dir.STATE)) or {}
    records = (state.get("keeper"), state.get("llama_server"))
    return any(
        record and identity.is_same_process(record["pid"], record["start"]) for record in records
    )
