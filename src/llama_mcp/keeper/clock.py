"""A clock that nobody sets, for ages that several processes of one machine work out.

The wall clock can be set back or forward while something runs: by hand, by NTP, by a virtual
machine that was asleep.
"""

import sys
import time


def seconds() -> float:
    """Return the seconds since the machine was switched on, the same for all its processes.

    On Linux the time that the machine sleeps counts too.
    """
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()
