"""llama-server as the keeper's child: spawned to die with it, and stopped without leftovers.

All that differs between platforms about spawning and signalling stands here.
"""

import os
import signal
import subprocess
import sys
from typing import Any

_PR_SET_PDEATHSIG = 1  # prctl(2)


def spawn(argv: list[str], environment: dict[str, str], cwd: str, log_fd: int) -> "Child":
    """Start llama-server in a process group of its own, its output going to log_fd.

    Raises:
        OSError: when the operating system cannot execute it.
    """
    process = subprocess.Popen(
        argv,
        env=environment,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=log_fd,
        stderr=log_fd,
        **_spawn_options(),
    )
    return Child(process)


class Child:
    """A spawned llama-server. Only its creator may signal it, and only before it is reaped."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self.pid = process.pid
        # Windows ends the job's processes when its last handle closes, and that is with us.
        self._job = _tie_to_us(process)

    def has_exited(self) -> bool:
        """Tell whether it is dead, without reaping: until then its pid cannot be reused."""
        if sys.platform != "win32" and hasattr(os, "waitid"):
            flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self.pid, flags) is not None
        return self._process.poll() is not None

    def ask_to_end(self) -> None:
        """Ask the group to end; llama-server that is asked twice ends at once."""
        if sys.platform == "win32":
            self._process.terminate()
        else:
            _signal_group(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End the group for good."""
        if sys.platform == "win32":
            self._process.kill()
        else:
            _signal_group(self.pid, signal.SIGKILL)

    def reap(self) -> tuple[int | None, int | None]:
        """Kill what is left of the group and return llama-server's exit code and signal."""
        self.kill()
        code = self._process.wait()
        return (None, -code) if code < 0 else (code, None)

    def wait(self, timeout_seconds: float) -> None:
        """Wait until it is dead or the time is over; for platforms without SIGCHLD."""
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return


if sys.platform != "win32":

    def _signal_group(group: int, number: int) -> None:
        try:
            os.killpg(group, number)
        except (ProcessLookupError, PermissionError):
            # macOS answers EPERM for a group of which only the zombie is left.
            return


def _spawn_options() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    if sys.platform == "linux":
        return {"start_new_session": True, "preexec_fn": _die_with(os.getpid())}
    return {"start_new_session": True}


if sys.platform == "linux":

    def _die_with(keeper_pid: int) -> Any:
        """Return what the child runs before exec, so that it is killed when the keeper dies."""
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)

        def arm() -> None:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != keeper_pid:  # the keeper died between fork and prctl
                os._exit(1)

        return arm


def _tie_to_us(process: "subprocess.Popen[bytes]") -> Any:
    """On Windows, put the process into a job that ends with us; elsewhere nothing is needed."""
    if sys.platform != "win32":
        return None
    import ctypes
    from ctypes import wintypes

    extended_limit_information, kill_on_job_close = 9, 0x2000
    kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel32.CreateJobObjectW.restype = wintypes.HANDLE
    job = wintypes.HANDLE(kernel32.CreateJobObjectW(None, None))
    # JOBOBJECT_EXTENDED_LIMIT_INFORMATION is 144 bytes on 64 bit; LimitFlags lies at byte 16.
    limits = (ctypes.c_uint32 * 36)()
    limits[4] = kill_on_job_close
    kernel32.SetInformationJobObject(
        job, extended_limit_information, ctypes.byref(limits), ctypes.sizeof(limits)
    )
    handle = int(vars(process)["_handle"])  # Popen tells it nowhere else
    kernel32.AssignProcessToJobObject(job, wintypes.HANDLE(handle))
    return job
