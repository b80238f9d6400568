"""Linux: a process to which the kernel gives every orphan below it, and which ends them all.

What a wrapper leaves behind, also by double fork and setsid, becomes a child of the nearest
subreaper above it (prctl(2), PR_SET_CHILD_SUBREAPER). So the kernel itself says when none is left:
wait(2) then fails with ECHILD.

There are two of them, the keeper and above it its guard, so that one is left when one is killed.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import NoReturn

from llama_mcp.keeper import identity, tree

PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
_SIGKILL = 9
# Between two rounds of the kill; what is killed is gone within a millisecond or two.
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.002, 0.25
# After it has been killed for so long, a process is one that the system does not let go of
# (a driver that hangs), or that may not be signalled (sudo).
_GIVE_UP_SECONDS = 5.0


def adopt_orphans() -> None:
    """Make this process the parent of every orphan below it."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def has_children() -> bool:
    """Reap what has ended; tell whether any child is left."""
    if sys.platform != "linux":
        return False
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def reap_all_but(pid: int) -> None:
    """Reap the adopted children that have ended; the one of that pid has its own owner."""
    if sys.platform != "linux":
        return
    flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
    try:
        while (ended := os.waitid(os.P_ALL, 0, flags)) is not None and ended.si_pid != pid:
            os.waitpid(ended.si_pid, 0)
    except ChildProcessError:
        return


def signal_members(number: int) -> None:
    """Signal every process below this one, once."""
    for pid, start in tree.members_below(os.getpid()).items():
        identity.signal_same_process(pid, start, number)


def end_members() -> None:
    """Kill every process below this one until the kernel knows of none."""
    pause_seconds = _FIRST_PAUSE_SECONDS
    deadline = time.monotonic() + _GIVE_UP_SECONDS
    while has_children() and time.monotonic() < deadline:
        signal_members(_SIGKILL)
        time.sleep(pause_seconds)
        pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)


def _prctl(option: int, value: int) -> None:
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


if sys.platform == "linux":

    def go_under_guard(say: Callable[[str], None]) -> None:
        """Go on in a new process, whose parent from now on is its guard and never returns.

        The guard waits. When the keeper is killed, the kernel gives the guard what the keeper had
        adopted, and the guard ends all of that. When the guard is killed, the keeper gets SIGUSR1.

        Args:
            say: writes a line to the keeper's log.
        """
        adopt_orphans()
        guard_pid = os.getpid()
        try:
            keeper_pid = os.fork()
        except OSError:  # no room for one more process: better unguarded than not at all
            return
        if keeper_pid:
            _guard(keeper_pid, say)
        # What is signalled as a session or a group must not be both of them.
        os.setsid()
        adopt_orphans()
        _prctl(PR_SET_PDEATHSIG, signal.SIGUSR1)
        if os.getppid() != guard_pid:  # the guard died between fork and prctl
            os._exit(1)

    def _guard(keeper_pid: int, say: Callable[[str], None]) -> NoReturn:
        def pass_on(number: int, _frame: object) -> None:
            os.kill(keeper_pid, number)

        _handle(pass_on)
        # Without reaping, so that the pid is the keeper's until no signal is passed on any more.
        ended = os.waitid(os.P_PID, keeper_pid, os.WEXITED | os.WNOWAIT)
        _handle(signal.SIG_IGN)
        was_killed = ended is not None and ended.si_code != os.CLD_EXITED
        if was_killed:
            say("the keeper was killed, ending what it has started")
        end_members()
        if ended is None or was_killed:  # whoever waits for the guard sees the same ending
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(ended.si_status if ended else 1)

    def _handle(handler: "Callable[[int, object], None] | signal.Handlers") -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, handler)
