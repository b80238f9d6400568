"""What is measured of a process that serves for long, and how much of it may grow."""

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import anyio
import psutil

from llama_mcp.keeper.log_rotation import KEPT_LOGS, MAX_LOG_BYTES
from llama_mcp.llama_server.runs.creating import KEPT_RUNS

REPORT_SECONDS = 60.0  # only what hangs


@dataclass(frozen=True)
class Sample:
    """One llama-mcp at rest: no request under way."""

    memory_mib: float
    open_files: int
    threads: int
    tasks: int
    children: int


# How much more there may be at the last rest than at the first one, load in between or not. Memory:
# the replies of 64 turns are kept for callers that come late, and Python gives little back. Files:
# a connection to llama-server is kept for a while after it was used.
MAX_GROWTH = Sample(memory_mib=12.0, open_files=8, threads=2, tasks=3, children=1)
# A keeper that was killed is a zombie until it is next looked at.
MAX_CHILDREN = 3
# Runs of llama-server that are kept, the current one, and one that is just being cleared away.
MAX_RUN_FOLDERS = KEPT_RUNS + 2
MAX_LOGS_BYTES = MAX_RUN_FOLDERS * (KEPT_LOGS + 1) * MAX_LOG_BYTES
# The archive, its write-ahead log included: the texts, and what tables and the index add to them.
ARCHIVE_BYTES_PER_TEXT_BYTE = 4
ARCHIVE_BYTES_PER_TURN = 2048
ARCHIVE_BYTES_AT_LEAST = 16 * 2**20


def count_open_files(process: psutil.Process) -> int:
    if sys.platform == "win32":
        return process.num_handles()
    return process.num_fds()


async def take_sample(pid: int, report: Path) -> Sample:
    """Measure a process that was started by observed.py with that report."""
    path = anyio.Path(report)
    await path.unlink(missing_ok=True)
    os.kill(pid, signal.Signals["SIGUSR1"])
    with anyio.fail_after(REPORT_SECONDS):
        while not await path.exists():
            await anyio.sleep(0.01)
    tasks, workers = map(int, (await path.read_text()).split())
    process = psutil.Process(pid)
    return Sample(
        memory_mib=round(process.memory_info().rss / 2**20, 1),
        open_files=count_open_files(process),
        # A pool keeps as many for a while as were ever at work at once.
        threads=process.num_threads() - workers,
        tasks=tasks,
        children=len(process.children()),
    )


def growth_faults(name: str, samples: Sequence[Sample]) -> list[str]:
    """Say what has grown beyond its bound from the first rest to the last."""
    first, last = samples[0], samples[-1]
    grown = zip(fields(Sample), astuple(first), astuple(last), astuple(MAX_GROWTH), strict=True)
    faults = [
        f"{name}: {field.name} grew from {before} to {after}, at most {bound} is allowed"
        for field, before, after, bound in grown
        if after - before > bound
    ]
    if last.children > MAX_CHILDREN:
        faults.append(f"{name}: {last.children} child processes")
    return faults


def folder_bytes(folder: Path) -> int:
    """Return how much the files below a folder take."""
    sizes = []
    for path in folder.rglob("*"):
        try:
            sizes.append(path.lstat().st_size)
        except FileNotFoundError:
            continue
    return sum(sizes)
