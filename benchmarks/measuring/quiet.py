"""Quiet moments: samples are taken by turns, and only while nothing else wants to run.

On a machine that others share, a median cannot tell 1 ms otherwise. Linux tells how many want to
run (proc_loadavg(5)); elsewhere samples are taken as they come.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

Sample = TypeVar("Sample")

_LOADAVG = Path("/proc/loadavg")
# So often in a row nobody but the one who looks must want to run.
_LOOKS = 5
_LOOK_SECONDS = 0.0005
_PATIENCE_SECONDS = 2.0
_IS_TOLD = sys.platform == "linux" and _LOADAVG.exists()
_any_moment_will_do = False


def take_any_moment() -> None:
    """Take samples as they come from now on: to try a benchmark, or where it is never quiet."""
    global _any_moment_will_do
    _any_moment_will_do = True


def wait() -> bool:
    """Wait until nothing else wants to run; return False when that did not come in time."""
    if _any_moment_will_do or not _IS_TOLD:
        return True
    ends_at = time.monotonic() + _PATIENCE_SECONDS
    looks = 0
    while looks < _LOOKS:
        looks = looks + 1 if _runnable() <= 1 else 0
        if time.monotonic() > ends_at:
            return False
        time.sleep(_LOOK_SECONDS)
    return True


def _runnable() -> int:
    """Return how many want to run, the one who asks included."""
    return int(_LOADAVG.read_text().split()[3].partition("/")[0])


def by_turns(
    ways: Sequence[Callable[[], Sample]], rounds: int, at_most_seconds: float = 120
) -> Iterator[list[Sample]]:
    """Take samples all ways by turns, who is first rotating; give each round that was quiet.

    Args:
        ways: what takes a sample.
        rounds: how many quiet rounds are wanted.
        at_most_seconds: after that time it ends with the rounds that there are.

    Raises:
        RuntimeError: there was not one quiet round.
    """
    ends_at = time.monotonic() + at_most_seconds
    taken = spoiled = 0
    while taken < rounds and time.monotonic() < ends_at:
        first = (taken + spoiled) % len(ways)
        samples = _one_round(ways, first)
        if samples is None:
            spoiled += 1
            continue
        taken += 1
        yield samples
    _tell(taken, rounds, spoiled)


def _one_round(ways: Sequence[Callable[[], Sample]], first: int) -> list[Sample] | None:
    samples: dict[int, Sample] = {}
    for number in (*range(first, len(ways)), *range(first)):
        if not wait():
            return None
        samples[number] = ways[number]()
    return [samples[number] for number in range(len(ways))]


def _tell(taken: int, rounds: int, spoiled: int) -> None:
    if not taken:
        raise RuntimeError("there was no quiet moment: something else on this machine always runs")
    how = f"quiet, {spoiled} others left out"
    if _any_moment_will_do or not _IS_TOLD:
        how = "taken as they came: others may have run meanwhile"
    print(f"{taken} of {rounds} rounds, {how}", flush=True)
