"""The processes of a run: state.json names the root only, and llama-server may be any below it."""

import os
import sys
from collections.abc import Iterator

import psutil

from llama_mcp.keeper import identity, run_dir, tree
from llama_mcp.llama_server.runs.records import KeeperState
from llama_mcp.llama_server.runs.run import RunFolder

_SIGKILL = 9
_ROUNDS = 20


def pids_of(state: KeeperState | None) -> frozenset[int]:
    """Return the pids of what was spawned and of all that it has started; empty before that."""
    if state is None or state.llama_server is None:
        return frozenset()
    root = state.llama_server.pid
    return frozenset((root, *_below(state.keeper.pid, root)))


def memory_of(pids: frozenset[int]) -> int | None:
    """Return the resident memory of these processes in bytes; None when none of them is there.

    Pages that several of them share count for each.
    """
    sizes = list(_sizes(pids))
    return sum(sizes) if sizes else None


def end_left_by(run: RunFolder) -> None:
    """Kill what a run has left whose keeper is dead, each process proved by what it inherited.

    Looks at every process of the machine, so it belongs on a worker thread.
    """
    for _ in range(_ROUNDS):
        left = list(_left_by(run))
        # One that has just been killed is looked for once more: it may have started another.
        if not sum(identity.signal_same_process(pid, start, _SIGKILL) for pid, start in left):
            return


def pids_by_run() -> dict[str, list[int]]:
    """Return the processes of all runs, by the folders of these. Looks at every process."""
    found: dict[str, list[int]] = {}
    for pid in psutil.pids():
        if folder := _run_of(pid):
            found.setdefault(folder, []).append(pid)
    return found


def _below(keeper: int, root: int) -> Iterator[int]:
    if sys.platform == "linux":
        yield from tree.members_below(keeper)  # which adopts what loses its parent
    elif sys.platform == "win32":
        try:
            yield from (child.pid for child in psutil.Process(root).children(recursive=True))
        except psutil.Error:
            return
    else:
        yield from tree.members_below(root)


def _sizes(pids: frozenset[int]) -> Iterator[int]:
    for pid in pids:
        try:
            yield psutil.Process(pid).memory_info().rss
        except psutil.Error:
            continue


def _left_by(run: RunFolder) -> Iterator[tuple[int, str]]:
    for pid in psutil.pids():
        # The start time first: a pid that is handed out again in between fails the proof.
        start = identity.process_start(pid) if pid != os.getpid() else None
        if start and _run_of(pid) == str(run.folder):
            yield pid, start


def _run_of(pid: int) -> str | None:
    try:
        value: str | None = psutil.Process(pid).environ().get(run_dir.RUN_VARIABLE)
    except (psutil.Error, OSError):
        return None
    return value
