"""What llama-server takes of the machine: memory and processor time of all its processes."""

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class ProcessUse:
    """What some processes use at one moment."""

    at: float
    """By time.monotonic()."""
    pids: frozenset[int]
    memory_bytes: int
    """Resident; pages that several of them share count for each."""
    cpu_seconds: float
    """Since they were started; those that have ended are not in it."""


def measure(pids: Collection[int]) -> ProcessUse | None:
    """Measure these processes together; None when all are gone or may not be read."""
    uses = list(_each(pids))
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


def _each(pids: Collection[int]) -> Iterator[tuple[int, int, float]]:
    """Give pid, memory and processor time of each that is there."""
    for pid in pids:
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                times = process.cpu_times()
                yield pid, process.memory_info().rss, times.user + times.system
        except psutil.Error:
            continue
