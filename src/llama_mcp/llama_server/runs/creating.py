"""A new run's folder: written, made the one that counts, and older ones cleared away."""

import errno
import secrets
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llama_mcp.keeper import clock, identity, run_dir
from llama_mcp.llama_server.errors import StateFolderError
from llama_mcp.llama_server.runs import places
from llama_mcp.llama_server.runs.of_models import forget_oldest, latest_runs, make_current
from llama_mcp.llama_server.runs.records import LAUNCH_FORMAT, Launch
from llama_mcp.llama_server.runs.run import (
    Run,
    changed_at,
    is_here,
    read_launch,
    read_run,
    run_folders,
)

# Ended runs are kept for their logs.
KEPT_RUNS = 5
KEPT_OF_ELSEWHERE = 30
# Those that hold a reply which is not in the archive yet are kept besides, but not for ever: its
# session may have been deleted, and the archive set aside.
KEPT_WITH_REPLIES = 100
KEPT_WITH_REPLIES_SECONDS = 30 * 24 * 3600
# What flock(2) says where there are no locks; reading and writing say none of these.
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
# What helps when the system refuses a folder.
_ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "Make room on that disk."),
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM),
        "Give the folder and all that is in it to the user that runs llama-mcp.",
    ),
    errno.EROFS: "Make that disk writable.",
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST), "Move the file away that is in its place."),
    errno.ENAMETOOLONG: "Shorten its path.",
}
_OTHER_ADVICE = "Ask the user to set the folder right."


def create_run(runs_dir: Path, launch: Launch) -> Run:
    """Write a new run and make it the one that counts; older ones are cleared away.

    Raises:
        StateFolderError: the folder cannot be written.
    """
    stamp = {"format": LAUNCH_FORMAT, "place": places.here(), "clock": clock.seconds()}
    with state_folder_errors(runs_dir):
        return _write_run(runs_dir, launch.model_copy(update=stamp))


@contextmanager
def state_folder_errors(runs_dir: Path) -> Iterator[None]:
    """Turn what the file system raises into an error that says what to do."""
    try:
        yield
    except OSError as error:
        problem = error.strerror or str(error)
        if error.errno in NO_LOCKS:
            problem = f"its file system gives no locks ({problem})"
        advice = _ADVICE.get(error.errno or 0, _OTHER_ADVICE)
        raise StateFolderError(str(runs_dir), problem, advice) from error
    except ValueError as error:  # no folder can have such a name
        raise StateFolderError(str(runs_dir), str(error), _OTHER_ADVICE) from error


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
    run_dir.write_whole(str(run.folder / run_dir.LAUNCH), launch.model_dump())
    if read_launch(run.folder) != launch:
        problem = f"{run_dir.LAUNCH} does not read as it was written"
        raise StateFolderError(str(run.folder), problem, _OTHER_ADVICE)
    make_current(runs_dir, run)
    forget_oldest(runs_dir)
    _clear_old_runs(runs_dir, {each.folder for each in latest_runs(runs_dir)})
    return run


def _clear_old_runs(runs_dir: Path, counting: Collection[Path]) -> None:
    older = sorted(set(run_folders(runs_dir)) - set(counting), key=changed_at)
    of_here = [folder for folder in older if is_here(read_run(folder))]
    # Those of elsewhere are cleared away there; what nobody there comes back for stays for long.
    of_elsewhere = [folder for folder in older if folder not in of_here]
    with_replies = [folder for folder in of_here if _has_replies(folder)]
    kept = {*with_replies[-KEPT_WITH_REPLIES:], *of_here[-(KEPT_RUNS - 1) :]}
    ended = [folder for folder in of_here if folder not in kept]
    for folder in (*ended, *of_elsewhere[:-KEPT_OF_ELSEWHERE]):
        if not _has_live_process(folder) and not places.is_held(str(folder)):
            shutil.rmtree(folder, ignore_errors=True)


def _has_replies(folder: Path) -> bool:
    is_young = time.time() - changed_at(folder) < KEPT_WITH_REPLIES_SECONDS
    return is_young and bool(run_dir.registered_streams(str(folder)))


def _has_live_process(folder: Path) -> bool:
    state: dict[str, Any] = run_dir.read_whole(str(folder / run_dir.STATE)) or {}
    records = (state.get("keeper"), state.get("llama_server"))
    return any(
        record and identity.is_same_process(record["pid"], record["start"]) for record in records
    )
