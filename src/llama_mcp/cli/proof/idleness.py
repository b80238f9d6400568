"""Whether the machine had time for a program that was late: a limit shows nothing where none had.

What counts is how long processors were idle meanwhile, which other programs cannot hide.
"""

from typing import Any

import psutil

# A machine on which a program has to wait for a processor leaves hardly any of their time unused.
_BUSY_SHARE = 0.1


class Idleness:
    """Looks at the processors from now on."""

    def __init__(self) -> None:
        self._before = psutil.cpu_times()

    def was_busy(self) -> bool:
        """Tell whether the processors were busy since."""
        return idle_share(self._before, psutil.cpu_times()) < _BUSY_SHARE


def idle_share(before: Any, after: Any) -> float:
    """Return which part of the time processors were idle, waiting for a disk included.

    Args:
        before: psutil's cpu_times, whose fields each system has of its own.
        after: the same, later.
    """
    spent = {
        name: getattr(after, name) - getattr(before, name)
        for name in after._fields
        if not name.startswith("guest")  # counted as user already
    }
    total = sum(spent.values())
    idle = spent.get("idle", 0.0) + spent.get("iowait", 0.0)
    return idle / total if total > 0 else 1.0
