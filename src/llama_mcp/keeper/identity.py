"""Whether a process is the very one that was recorded: its pid and its start time together.

A pid alone proves nothing, since the system hands it out again. The start time is an opaque text
that stays the same for the life of a process, whatever happens to the wall clock.
"""

import os
import signal
import sys

from llama_mcp.keeper import boot, macos, windows

# proc_pid_stat(5): fields are counted from 1, and the command in brackets is field 2.
_STATE_AFTER_COMMAND = 0
_START_TICKS_AFTER_COMMAND = 19
# A process that this user may not even ask, so none that this user has started.
NOT_OURS = "of another user"


def process_start(pid: int) -> str | None:
    """Return the start time of a live process; None when it is gone or only waits to be reaped.

    On Windows it is NOT_OURS for a process that lives and may not be asked.
    """
    if sys.platform == "linux":
        return _linux_start(pid)
    if sys.platform == "win32":
        try:
            with windows.OpenedProcess(pid) as process:
                return process.start()
        except PermissionError:
            return NOT_OURS
        except OSError:
            return None
    return macos.process_start(pid)


def is_same_process(pid: int | None, start: str | None) -> bool:
    """Tell whether the process of that pid lives and is the one that started then."""
    return bool(pid) and bool(start) and _is_same_start(process_start(pid or 0), start or "")


def boot_in(start: str) -> str:
    """Return the boot that a start time names; empty when it names none."""
    return start.rpartition("/")[0]


def _is_same_start(now: str | None, recorded: str) -> bool:
    """Compare two start times; where either names no boot, the time since boot counts alone."""
    if now is None or now == recorded:
        return now is not None
    is_bare = "/" in now and "/" in recorded and not (boot_in(now) and boot_in(recorded))
    return is_bare and now.rpartition("/")[2] == recorded.rpartition("/")[2]


def linux_stat(pid: int) -> list[bytes]:
    """Return the fields of /proc/PID/stat behind the command; none of a process that is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []


def _linux_start(pid: int) -> str | None:
    fields = linux_stat(pid)
    if not fields or fields[_STATE_AFTER_COMMAND] in (b"Z", b"X"):
        return None
    return f"{boot.boot_id()}/{fields[_START_TICKS_AFTER_COMMAND].decode()}"


def signal_same_process(pid: int, start: str | None, number: int) -> bool:
    """Signal the process that was recorded; tell whether it was there and may be signalled.

    A pidfd (Linux) or a handle (Windows) holds on to the process, so its pid cannot be handed out
    again between proof and signal; on macOS, which has neither, that moment remains. Windows has no
    signals: there every number ends the process.
    """
    if sys.platform == "win32":
        return _end_on_windows(pid, start)
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        return is_same_process(pid, start) and _signal(pid, number)
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if not is_same_process(pid, start):
            return False
        signal.pidfd_send_signal(pidfd, number)
    except (ProcessLookupError, PermissionError):
        return False
    finally:
        os.close(pidfd)
    return True


def _signal(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _end_on_windows(pid: int, start: str | None) -> bool:
    if sys.platform != "win32":
        return False
    try:
        with windows.OpenedProcess(pid, to_terminate=True) as process:
            return bool(start) and process.start() == start and process.terminate()
    except OSError:
        return False
