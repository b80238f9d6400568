"""The program that downloads, as llama-mcp sees it: started, and found at work."""

import contextlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import anyio

from llama_mcp.keeper import lease_locks, spawning
from llama_mcp.models.download import records
from llama_mcp.models.download.records import Progress, Request

_LOG_LINES = 3


class Program:
    """The program of one download folder. Every call looks at files only, and is quick."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """Take its folder, and the environment that we were started with."""
        self.folder = str(folder)
        self._environment = environment
        self.starting = anyio.Lock()
        """To be held from the look whether one works to the start of one."""
        self.has_told = True
        """Whether a caller has seen how the one ended that we have started."""
        self._process: subprocess.Popen[bytes] | None = None

    def is_at_work(self) -> bool:
        """Tell whether one works, whoever has started it."""
        if self._process is not None and self._process.poll() is None:
            return True
        return self._is_locked()

    def is_ending(self) -> bool:
        """Tell whether one works that has been asked to end."""
        return records.is_cancelled(self.folder) and self.is_at_work()

    def _is_locked(self) -> bool:
        return lease_locks.is_locked(os.path.join(self.folder, records.LOCK))

    def progress(self) -> Progress | None:
        """Return what is recorded; None while the one that we have started has recorded nothing."""
        recorded = records.read(self.folder, records.PROGRESS, Progress)
        if self._process is None or (recorded and recorded.pid == self._process.pid):
            return recorded
        # What another has recorded counts once ours has left it to that one, or was one of many.
        has_left = self._process.poll() in (0, records.ANOTHER_WORKS)
        return recorded if has_left or self._is_locked() else None

    def untold_end(self) -> Progress | None:
        """Return how the one ended that we have started, if it has and no caller has seen it.

        Who never waits would else begin a failed one anew with each look, and never hear why.
        """
        recorded = None if self.has_told else self.progress()
        return recorded if recorded and recorded.state in ("complete", "failed") else None

    def request(self) -> Request | None:
        """Return what was asked last; None when nothing is recorded."""
        return records.read(self.folder, records.REQUEST, Request)

    def log_end(self) -> str:
        """Return the last lines that it has printed."""
        with contextlib.suppress(OSError):
            text = Path(self.folder, records.LOG).read_text(encoding="utf-8", errors="replace")
            return " / ".join(text.split("\n")[-_LOG_LINES - 1 :]).strip(" /")
        return ""

    def start(self, request: Request, token: str | None) -> None:
        """Start one; it ends at once where another one works already.

        Raises:
            OSError: the folder cannot be written to, or the system starts no process.
        """
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.folder, records.CANCEL))
        records.write(self.folder, records.REQUEST, request)
        with open(os.path.join(self.folder, records.LOG), "wb") as log:
            self._process = spawning.start_apart(
                [*spawning.program_command("llama_mcp.models.download"), self.folder],
                env=spawning.python_environment(self._environment, self._environment),
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        self.has_told = False
        # A pipe, because command lines, files and environments can be read by others.
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as pipe:
            pipe.write((token or "").encode())

    def ask_to_end(self) -> None:
        """Ask whichever works to end; it does so within a moment."""
        with contextlib.suppress(FileNotFoundError):
            Path(self.folder, records.CANCEL).touch(mode=0o600)
