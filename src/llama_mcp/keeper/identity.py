"""Whether a process is the very one that was recorded: its pid and its start time together.

A pid alone proves nothing, since the system hands it out again. The start time is an opaque text
that stays the same for the life of a process, whatever happens to the wall clock.
"""

import os
import signal
import subprocess
import sys
from functools import cache

# proc_pid_stat(5): fields are counted from 1, and the command in brackets is field 2.
_STATE_AFTER_COMMAND = 0
_START_TICKS_AFTER_COMMAND = 19


def process_start(pid: int) -> str | None:
    """Return the start time of a live process; None when it is gone or only waits to be reaped."""
    if sys.platform == "linux":
        return _linux_start(pid)
    if sys.platform == "win32":
        return _windows_start(pid)
    return _ps_start(pid)


def is_same_process(pid: int | None, start: str | None) -> bool:
    """Tell whether the process of that pid lives and is the one that started then."""
    return bool(pid) and bool(start) and process_start(pid or 0) == start


def _linux_start(pid: int) -> str | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        boot = _boot_id()
    except OSError:
        return None
    if not fields or fields[_STATE_AFTER_COMMAND] in (b"Z", b"X"):
        return None
    return f"{boot}/{fields[_START_TICKS_AFTER_COMMAND].decode()}"


@cache
def _boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def _ps_start(pid: int) -> str | None:
    answer = subprocess.run(
        ["ps", "-o", "state=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},  # noqa: TID251 - lstart's month must not follow a locale
        check=False,
    ).stdout.strip()
    state, _, start = answer.partition(" ")
    return start.strip() if state and not state.startswith("Z") else None


def _windows_start(pid: int) -> str | None:
    if sys.platform != "win32":
        return None
    import ctypes
    from ctypes import wintypes

    query_limited_information, still_active = 0x1000, 259
    kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel32.OpenProcess.restype = wintypes.HANDLE
    handle = kernel32.OpenProcess(query_limited_information, False, pid)
    if not handle:
        return None
    try:
        times = [wintypes.FILETIME() for _ in range(4)]
        code = wintypes.DWORD()
        kernel32.GetExitCodeProcess(wintypes.HANDLE(handle), ctypes.byref(code))
        known = kernel32.GetProcessTimes(wintypes.HANDLE(handle), *map(ctypes.byref, times))
    finally:
        kernel32.CloseHandle(wintypes.HANDLE(handle))
    if not known or code.value != still_active:
        return None
    return f"{times[0].dwHighDateTime}/{times[0].dwLowDateTime}"


def signal_same_process(pid: int, start: str | None, number: int) -> bool:
    """Signal the process that was recorded; tell whether it was there to be signalled.

    A pidfd holds on to the process, so its pid cannot be handed out again between proof and signal;
    where there is none, that moment remains.
    """
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        if not is_same_process(pid, start):
            return False
        os.kill(pid, number)
        return True
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if not is_same_process(pid, start):
            return False
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(pidfd)
    return True
