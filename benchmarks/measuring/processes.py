"""Processes: how long they take, what they use of the processor, and when they have ended."""

import subprocess
import threading
import time
from pathlib import Path

import psutil

PATIENCE_SECONDS = 300


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
    """Return the processor time that a process has used, to the nanosecond where that is told."""
    threads = list(Path(f"/proc/{process.pid}/task").glob("*/schedstat"))
    if threads:
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9
    times = process.cpu_times()
    return float(times.user + times.system)
