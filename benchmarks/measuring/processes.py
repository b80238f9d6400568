"""Processes: how long they take, what they use of the processor, and when they have ended."""

import subprocess
import sys
import threading
import time

import psutil

PATIENCE_SECONDS = 300
_CPUCLOCK_SCHED = 2


def wait_for_end(process: "subprocess.Popen[bytes]") -> None:
    """Wait for a process; Popen's own time limit would make it look only every 50 ms."""
    watchdog = threading.Timer(PATIENCE_SECONDS, process.kill)
    watchdog.start()
    process.wait()
    watchdog.cancel()


def milliseconds(since: float) -> float:
    """Return how long ago a moment of time.perf_counter() was."""
    return (time.perf_counter() - since) * 1000


def processor_seconds(process: psutil.Process) -> float:
    """Return the processor time that a process has used, to the nanosecond on Linux."""
    if sys.platform == "linux":
        # The clock of a whole process, as clock_getcpuclockid(3) numbers it. Threads that have
        # ended are in it, as they are not in /proc/PID/task.
        seconds = time.clock_gettime((~process.pid << 3) | _CPUCLOCK_SCHED)
    else:
        times = process.cpu_times()
        seconds = float(times.user + times.system)
    return seconds
