"""What llama-server takes of the machine: memory and processor time, with its child processes."""

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class ProcessUse:
    """What a process and its descendants use at one moment."""

    at: float
    """By time.monotonic()."""
    pids: frozenset[int]
    memory_bytes: int
    """Resident; pages that several of them share count for each."""
    cpu_seconds: float
    """Since they were started; those that have ended are not in it."""


def measure(pid: int) -> ProcessUse | None:
    """Measure a process and its children; None when it is gone or may not be read.

    May have to look at every process of the machine, so it belongs on a worker thread.
    """
    uses = list(_each(pid))
    if not uses:
        return None
    return ProcessUse(
        at=time.monotonic(),
        pids=frozenset(each for each, _, _ in uses),
        memory_bytes=sum(memory_bytes for _, memory_bytes, _ in uses),
        cpu_seconds=sum(cpu_seconds for _, _, cpu_seconds in uses),
    )


def cpu_percent(earlier: ProcessUse, later: ProcessUse) -> float | None:
    """Return the processor use between two readings; None when it cannot be computed."""
    seconds, used_seconds = later.at - earlier.at, later.cpu_seconds - earlier.cpu_seconds
    if seconds <= 0 or used_seconds < 0:
        return None
    return round(100 * used_seconds / seconds, 1)


def _each(pid: int) -> Iterator[tuple[int, int, float]]:
    """Give pid, memory and processor time of a process and of all below it."""
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times = process.cpu_times()
            yield pid, process.memory_info().rss, times.user + times.system
        children = _children_of(process)
    except psutil.Error:
        return
    for child in children:
        yield from _each(child)


def _children_of(process: psutil.Process) -> list[int]:
    if sys.platform == "linux":
        try:
            return _linux_children_of(process.pid)
        except OSError:  # a kernel that does not tell, or a thread that has just ended
            pass
    return [child.pid for child in process.children()]


def _linux_children_of(pid: int) -> list[int]:
    """Return what the kernel lists; psutil would read every process of the machine."""
    children: list[int] = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
            children += map(int, file.read().split())
    return children
