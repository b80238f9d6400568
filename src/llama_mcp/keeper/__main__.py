"""Run one llama-server for as long as somebody holds a lease on it.

`python -m llama_mcp.keeper RUN_DIR` reads launch.json, spawns llama-server with its output in the
log, records both processes in state.json and waits. It stops llama-server when it is asked to (a
signal, or the file `stop`), when no lease has been held for linger_seconds, or when there was no
turn for idle_seconds (idleness.py); a reply under way whose reader is gone counts as use
(streams.py). Before an orderly stop it has prompt caches saved (prompt_caches.py). It exits once
llama-server and all that it has started have ended, after recording how.
"""

import contextlib
import os
import select
import signal
import sys
import time
from typing import Any

from llama_mcp.keeper import (
    child,
    clock,
    identity,
    idleness,
    lease_locks,
    log_rotation,
    prompt_caches,
    run_dir,
    spawning,
    streams,
    subreaper,
    windows,
)

TICK_SECONDS = 0.5
# How often the file `stop` is looked for where no signal says that it is there.
STOP_LOOK_SECONDS = 0.1
# An idle llama-server ends within 0.1 s; one with an open stream waits for its client, until the
# second SIGTERM or Ctrl-C ends it at once (llama.cpp: tools/server/server.cpp, signal_handler).
# With STOP_LOOK_SECONDS together under 2 seconds.
FIRST_GRACE_SECONDS = 1.2
SECOND_GRACE_SECONDS = 0.4
# For what is left of the streams under way; taken from the first grace.
STREAMS_SECONDS = 0.6

MAX_PLAIN_EXIT_CODE = 255


class Keeper:
    """One run of one llama-server."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.launch = run_dir.read_whole(self._path(run_dir.LAUNCH)) or {}
        self.linger_seconds = float(self.launch.get("linger_seconds", 0))
        self.is_asked_to_stop = self.is_signalled = False
        self.is_unguarded = False
        # Why it was stopped, where that is of interest afterwards.
        self.exit_reason: str | None = None
        self.state: dict[str, Any] = {
            "keeper": {"pid": os.getpid(), "start": identity.process_start(os.getpid())},
            "is_in_a_job": sys.platform == "win32" and windows.is_in_a_job(),
            "llama_server": None,
            "spawn_error": None,
            "exit": None,
        }
        self._lock = lease_locks.hold(self._path(run_dir.KEEPER_LOCK))
        self._leases = lease_locks.Leases(self._path(run_dir.LEASES))
        self._streams = streams.Streams(folder, self.launch, say)
        self._prompt_caches = prompt_caches.PromptCaches(folder, self.launch, say)
        self._idleness = idleness.Idleness(folder, self.launch, say)
        self._wake_fd = self._listen_for_signals()

    def run(self) -> int:
        """Keep llama-server until it ends or is no longer used; return the keeper's exit code."""
        if self._wants_stop():
            return 0
        llama_server = self._spawn()
        if llama_server is None:
            return 1
        self._keep(llama_server)
        if self.is_unguarded:
            # As if this process itself had been killed: if it is next, nobody ends the rest.
            say("the guard of this keeper was killed, ending llama-server")
            llama_server.reap()
            return 1
        left_others = not self.is_asked_to_stop and llama_server.leaves_others()
        exit_code, exit_signal = llama_server.reap()
        self._streams.conclude_all(was_stopped=self.is_asked_to_stop)
        self._prompt_caches.conclude()
        self.state["exit"] = {
            "exit_code": exit_code,
            "signal": exit_signal,
            "was_asked_to": self.is_asked_to_stop,
            "left_others": left_others,
            run_dir.REASON: self.exit_reason,
            "at": time.time(),
        }
        self._record()
        # Windows' codes of crashes are known in hexadecimal.
        code = f"{exit_code:#x}" if (exit_code or 0) > MAX_PLAIN_EXIT_CODE else exit_code
        how = f"signal {exit_signal}" if exit_signal else f"exit code {code}"
        rest = ", and what it had left behind was ended" if left_others else ""
        say(f"llama-server ended with {how}{rest}")
        return 0

    def _spawn(self) -> child.Child | None:
        log_fd = log_rotation.open_log(self._path(run_dir.LOG))
        try:
            argv, environment = self.launch["argv"], self.launch["environment"]
            environment = environment | {run_dir.RUN_VARIABLE: self.folder}
            llama_server = child.spawn(argv, environment, self.folder, log_fd)
        except OSError as error:
            self.state["spawn_error"] = {"errno": error.errno, "text": error.strerror or str(error)}
            self._record()
            say(f"llama-server could not be spawned: {error}")
            return None
        finally:
            os.close(log_fd)
        start = identity.process_start(llama_server.pid)
        self.state["llama_server"] = {
            "pid": llama_server.pid,
            "start": start,
            "at": time.time(),
            "clock": clock.seconds(),
        }
        self._record()
        say(f"llama-server spawned, pid {llama_server.pid}")
        return llama_server

    def _keep(self, llama_server: child.Child) -> None:
        used_at, looked_at = time.monotonic(), 0.0
        leases = self._path(run_dir.LEASES)
        while not (llama_server.has_exited() or self.is_unguarded):
            llama_server.note_members()
            # A lease that came and went between two looks counts too; counting removes dead leases.
            was_used = _changed_at(leases) != looked_at
            is_used = self._is_used()
            looked_at = _changed_at(leases)
            used_at = time.monotonic() if is_used or was_used else used_at
            has_lingered = 0 <= self.linger_seconds <= time.monotonic() - used_at
            if self._wants_stop() or (not is_used and has_lingered and self._is_still_unused()):
                unused = f"unused for {self.linger_seconds:g} s, stopping llama-server"
                say("asked to stop" if self._wants_stop() else unused)
                self.is_asked_to_stop = True
                self._stop(llama_server)
                return
            if self._idleness.is_over():
                say(f"no turn for {self._idleness.seconds:g} s, unloading llama-server")
                self.is_asked_to_stop, self.exit_reason = True, run_dir.IDLE
                self._stop(llama_server)
                return
            log_rotation.rotate_when_large(self._path(run_dir.LOG))
            self._write_what_was_deleted()
            self._sleep(llama_server, TICK_SECONDS)

    def _wants_stop(self) -> bool:
        return self.is_asked_to_stop or os.path.exists(self._path(run_dir.STOP))

    def _is_used(self) -> bool:
        # In this order: the lease of a process that is killed in between is seen, or its stream.
        has_leases = self._leases.count_held() > 0
        has_streams = self._streams.look()
        if has_streams:
            self._idleness.note_use()
        return has_streams or has_leases

    def _is_still_unused(self) -> bool:
        """Announce the stop, then look once more at the leases and the streams.

        In this order, because a newcomer takes its lease first and then looks whether a stop was
        announced: one of the two always sees the other.
        """
        announcement = self._path(run_dir.UNUSED)
        # A full disk must not make the keeper leave with an error.
        with contextlib.suppress(OSError), open(announcement, "w", encoding="ascii"):
            pass
        if not self._is_used():
            return True
        with contextlib.suppress(OSError):
            os.unlink(announcement)
        return False

    def _stop(self, llama_server: child.Child) -> None:
        self._prompt_caches.save(lambda: self.is_signalled)
        began = time.monotonic()
        self._streams.end_all(STREAMS_SECONDS)
        first_seconds = FIRST_GRACE_SECONDS - (time.monotonic() - began)
        for grace_seconds in (first_seconds, SECOND_GRACE_SECONDS):
            llama_server.ask_to_end()
            if self._wait_until_over(llama_server, grace_seconds):
                return
        llama_server.kill()

    def _wait_until_over(self, llama_server: child.Child, grace_seconds: float) -> bool:
        deadline = time.monotonic() + grace_seconds
        while not llama_server.is_over():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._sleep(llama_server, left)
        return True

    def _sleep(self, llama_server: child.Child, seconds: float) -> None:
        """Sleep until a signal comes (SIGCHLD too), llama-server ends or the time is over."""
        if self._wake_fd is None:
            self._sleep_looking_for_a_stop(llama_server, seconds)
        elif select.select([self._wake_fd], [], [], seconds)[0]:
            os.read(self._wake_fd, 4096)

    def _sleep_looking_for_a_stop(self, llama_server: child.Child, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and not llama_server.has_exited():
            llama_server.wait(min(left, STOP_LOOK_SECONDS))
            if self._wants_stop() and not self.is_asked_to_stop:
                return

    def _listen_for_signals(self) -> int | None:
        def stop(_number: int, _frame: object) -> None:
            self.is_asked_to_stop = self.is_signalled = True

        def lose_guard(_number: int, _frame: object) -> None:
            self.is_unguarded = True

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        if sys.platform == "win32":
            signal.signal(signal.SIGBREAK, stop)  # the end of the session too
            return None
        signal.signal(signal.SIGHUP, stop)
        signal.signal(signal.SIGUSR1, lose_guard)
        # SIGCHLD's default is to be dropped; with a handler it reaches the wake-up pipe.
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        read_fd, write_fd = os.pipe()
        os.set_blocking(read_fd, False)
        os.set_blocking(write_fd, False)
        signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
        return read_fd

    def _record(self) -> None:
        with contextlib.suppress(OSError):
            run_dir.write_whole(self._path(run_dir.STATE), self.state)

    def _write_what_was_deleted(self) -> None:
        """Write the records again that somebody has deleted, such as a cleaner of old files.

        Without them nobody would know of a llama-server that lives.
        """
        names = (run_dir.STATE, run_dir.LAUNCH, run_dir.LEASES)
        if all(os.path.exists(self._path(name)) for name in names):
            return
        with contextlib.suppress(OSError):
            os.makedirs(self._path(run_dir.LEASES), mode=0o700, exist_ok=True)
            if not os.path.exists(self._path(run_dir.LAUNCH)):
                run_dir.write_whole(self._path(run_dir.LAUNCH), self.launch)
            self._record()
            say("records were deleted, and are written again")

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, name)


def say(event: str) -> None:
    """Write a line with the time (UTC) to stderr, which llama-mcp has made keeper.log."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    # A full disk must end neither the keeper nor llama-server.
    with contextlib.suppress(OSError):
        os.write(sys.stderr.fileno(), f"{now} {event}\n".encode("utf-8", "replace"))


def _changed_at(folder: str) -> float:
    try:
        return os.stat(folder).st_mtime
    except OSError:
        return 0.0


def main() -> int:
    """Keep the llama-server of the run directory that the command line names."""
    os.umask(0o077)
    spawning.show_no_error_boxes()
    if sys.platform == "linux":
        subreaper.go_under_guard(say)
    return Keeper(sys.argv[1]).run()


if __name__ == "__main__":
    sys.exit(main())
