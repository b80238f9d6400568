"""llama-server as the keeper's child: spawned to die with it, and stopped without leftovers.

Each system has its own way to end all that a llama-server has started together with the keeper:

Linux    the kernel kills llama-server when the keeper dies (PR_SET_PDEATHSIG)
Windows  a job holds the keeper and all that it starts, and ends with it (windows.py)
others   a shell that waits for the keeper's end kills llama-server's group (watcher.py)
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from llama_mcp.keeper import spawning, windows
from llama_mcp.keeper.watcher import Watcher

_PR_SET_PDEATHSIG = 1  # prctl(2)


def spawn(argv: list[str], environment: dict[str, str], cwd: str, log_fd: int) -> "Child":
    """Start llama-server, its output going to log_fd.

    Raises:
        OSError: when the operating system cannot execute it.
    """
    options: dict[str, Any] = {"env": environment, "cwd": cwd, "stdout": log_fd, "stderr": log_fd}
    child: Child
    if sys.platform == "win32":
        child = _spawn_in_job(argv, options)
    elif sys.platform == "linux":
        options |= {"start_new_session": True, "preexec_fn": _die_with(os.getpid())}
        child = GroupChild(_popen(argv, options))
    else:
        child = spawn_watched(argv, options)
    return child


def _popen(argv: list[str], options: dict[str, Any]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(spawning.popen_command(argv), stdin=subprocess.DEVNULL, **options)


class Child:
    """A spawned llama-server. Only its creator may signal it, and only before it is reaped."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self.pid = process.pid

    def has_exited(self) -> bool:
        """Tell whether it is dead; where possible without reaping, which would free its pid."""
        if sys.platform != "win32" and hasattr(os, "waitid"):
            flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self.pid, flags) is not None
        return self._process.poll() is not None

    def ask_to_end(self) -> None:
        """Ask all that belongs to it to end; llama-server that is asked twice ends at once."""
        raise NotImplementedError

    def kill(self) -> None:
        """End all that belongs to it for good."""
        raise NotImplementedError

    def reap(self) -> tuple[int | None, int | None]:
        """Kill what is left of it and return llama-server's exit code and signal."""
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

    class GroupChild(Child):
        """One that is in a process group with all that it starts."""

        def __init__(
            self, process: "subprocess.Popen[bytes]", watcher: Watcher | None = None
        ) -> None:
            super().__init__(process)
            self._watcher = watcher
            self._group = watcher.group if watcher else process.pid

        def ask_to_end(self) -> None:
            """Send SIGTERM to the group."""
            self._signal_group(signal.SIGTERM)

        def kill(self) -> None:
            """Send SIGKILL to the group."""
            self._signal_group(signal.SIGKILL)

        def reap(self) -> tuple[int | None, int | None]:
            """Do as `Child` does, and end the watcher."""
            ending = super().reap()
            if self._watcher:
                self._watcher.end()
            return ending

        def _signal_group(self, number: int) -> None:
            try:
                os.killpg(self._group, number)
            except (ProcessLookupError, PermissionError):
                # macOS answers EPERM for a group of which only the zombie is left.
                return

    def spawn_watched(argv: list[str], options: dict[str, Any]) -> GroupChild:
        """Start llama-server in the group of a watcher, which kills it when this process dies.

        Args:
            argv: the command.
            options: what subprocess.Popen takes besides.

        Raises:
            OSError: when the operating system cannot execute it.
        """
        watcher = Watcher()
        try:
            return GroupChild(_popen(argv, options | {"process_group": watcher.group}), watcher)
        except OSError:
            watcher.end()
            raise


if sys.platform == "linux":

    def _die_with(keeper_pid: int) -> Callable[[], None]:
        """Return what the child runs before exec, so that it is killed when the keeper dies."""
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)

        def arm() -> None:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != keeper_pid:  # the keeper died between fork and prctl
                os._exit(1)

        return arm


if sys.platform == "win32":

    class JobChild(Child):
        """One that is in the keeper's job with all that it starts, and shares its console.

        The console has no window (keeper_process.py starts the keeper with CREATE_NO_WINDOW), and
        nobody else is in it. llama-server heeds Ctrl-C alone (llama.cpp: tools/server/server.cpp,
        console_ctrl_handler); Windows sends that to all processes of a console or to none, and a
        process group of its own would have it off. So the keeper gets it too, as SIGINT, and by
        then is stopping already.
        """

        def __init__(self, process: "subprocess.Popen[bytes]", job: windows.Job) -> None:
            super().__init__(process)
            self._job = job

        def ask_to_end(self) -> None:
            """Send Ctrl-C to all processes of the console."""
            try:
                os.kill(0, signal.CTRL_C_EVENT)
            except OSError:
                return  # the keeper has no console: a hard stop follows

        def kill(self) -> None:
            """End every process of the job but the keeper."""
            self._job.end_others()

    def _spawn_in_job(argv: list[str], options: dict[str, Any]) -> JobChild:
        # The keeper itself goes into the job, and first: whatever llama-server starts, however
        # soon, is in it.
        job = windows.Job()
        windows.hear_ctrl_c()
        # A keeper without a console (pythonw.exe): each program would open one, with a window.
        flags = 0 if windows.has_console() else spawning.CREATION_FLAGS
        return JobChild(_popen(argv, options | {"creationflags": flags}), job)
