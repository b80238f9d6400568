"""llama-server as the keeper's child: spawned to die with it, and stopped without leftovers.

Each system has its own way to end all that a llama-server has started together with the keeper:

Linux    the keeper is told of every process below it, and its guard when it dies (subreaper.py)
Windows  a job holds the keeper and all that it starts, and ends with it (windows.py)
others   a shell that waits for the keeper's end kills llama-server's group (watcher.py)

What is spawned may be a script that starts llama-server: the child is its whole tree.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from llama_mcp.keeper import identity, spawning, subreaper, tree, windows
from llama_mcp.keeper.watcher import Watcher

# What an ended program has started may need a moment to follow it.
_FOLLOW_SECONDS = 0.2
_LOOK_SECONDS = 0.01
# A process that starts others while it is being ended is met again in the next round.
_ROUNDS = 20


def spawn(argv: list[str], environment: dict[str, str], cwd: str, log_fd: int) -> "Child":
    """Start llama-server, its output going to log_fd.

    Raises:
        OSError: when the operating system cannot execute it.
    """
    options: dict[str, Any] = {"env": environment, "cwd": cwd, "stdout": log_fd, "stderr": log_fd}
    # As branches of one statement: mypy looks for names behind a return, too.
    child: Child
    if sys.platform == "win32":
        child = _spawn_in_job(argv, options)
    elif sys.platform == "linux":
        options |= {"start_new_session": True, "preexec_fn": _die_with(os.getpid())}
        child = AdoptedChild(_popen(argv, options))
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
        if self._process.returncode is not None:
            return True
        if sys.platform != "win32" and hasattr(os, "waitid"):
            flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self.pid, flags) is not None
        return self._process.poll() is not None

    def has_left_others(self) -> bool:
        """Tell whether what it has started lives; asked after its own end."""
        raise NotImplementedError

    def is_over(self) -> bool:
        """Tell whether it and all that it has started have ended."""
        return self.has_exited() and not self.has_left_others()

    def note_members(self) -> None:
        """Remember what belongs to it, where nothing will tell once its parent is gone."""

    def ask_to_end(self) -> None:
        """Ask all that belongs to it to end; llama-server that is asked twice ends at once."""
        raise NotImplementedError

    def kill(self) -> None:
        """End all that belongs to it for good."""
        raise NotImplementedError

    def leaves_others(self) -> bool:
        """Tell whether what it has started outlives it by more than a moment."""
        deadline = time.monotonic() + _FOLLOW_SECONDS
        while (is_left := self.has_left_others()) and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        return is_left

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

        def __init__(self, process: "subprocess.Popen[bytes]", watcher: Watcher) -> None:
            super().__init__(process)
            self._watcher = watcher
            self._group = watcher.group
            self._members: dict[int, str] = {}

        def has_left_others(self) -> bool:
            """Tell whether a member that was noted lives; the group always has the watcher."""
            self.note_members()
            return any(pid != self.pid for pid in self._members)

        def note_members(self) -> None:
            """Look below all that are known: an orphan is nobody's child that is known here."""
            found = dict(self._members)
            # A pid that was reaped may be anybody's.
            is_reaped = self._process.returncode is not None
            for parent in (*self._members, *([] if is_reaped else [self.pid])):
                found |= tree.members_below(parent)
            self._members = {
                pid: start for pid, start in found.items() if identity.is_same_process(pid, start)
            }

        def ask_to_end(self) -> None:
            """Send SIGTERM to the group, and to those who have left it."""
            self._signal(signal.SIGTERM)

        def kill(self) -> None:
            """Send SIGKILL to the group, and to those who have left it until none is left."""
            for _ in range(_ROUNDS):
                self._signal(signal.SIGKILL)
                if not self.has_left_others():
                    return
                time.sleep(_LOOK_SECONDS)

        def reap(self) -> tuple[int | None, int | None]:
            """Do as `Child` does, and end the watcher."""
            ending = super().reap()
            self._watcher.end()
            return ending

        def _signal(self, number: int) -> None:
            self.note_members()
            outside = {pid: start for pid, start in self._members.items() if self._is_outside(pid)}
            # macOS answers EPERM for a group of which only the zombie is left.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._group, number)
            for pid, start in outside.items():
                identity.signal_same_process(pid, start, number)

        def _is_outside(self, pid: int) -> bool:
            try:
                return os.getpgid(pid) != self._group
            except (ProcessLookupError, PermissionError):
                return False

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

    class AdoptedChild(Child):
        """One whose orphans become children of this process, which is their subreaper."""

        def has_exited(self) -> bool:
            """Tell whether it is dead; the orphans that have ended are reaped."""
            if self._process.returncode is None:
                subreaper.reap_all_but(self.pid)
            return super().has_exited()

        def has_left_others(self) -> bool:
            """Tell whether the kernel knows of a child besides."""
            return self._process.poll() is None or subreaper.has_children()

        def ask_to_end(self) -> None:
            """Send SIGTERM to every member, once."""
            subreaper.signal_members(signal.SIGTERM)

        def kill(self) -> None:
            """Send SIGKILL to every member until none is left."""
            with contextlib.suppress(PermissionError):  # sudo: nobody but root ends that
                self._process.kill()
            self._process.wait()
            subreaper.end_members()

    def _die_with(keeper_pid: int) -> Callable[[], None]:
        """Return what the child runs before exec, so that it is killed when the keeper dies."""
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)

        def arm() -> None:
            libc.prctl(subreaper.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
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

        def has_left_others(self) -> bool:
            """Return False: the job may hold a console host too, so a count would tell nothing."""
            return False

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
