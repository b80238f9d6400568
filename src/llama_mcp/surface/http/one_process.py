"""One process of a home serves HTTP: turns, their queue and sealed requests live in one."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from llama_mcp.surface.http.errors import HttpServedError

LOCK = "http.lock"
RECORD = "http.json"
# Two looks at one process may tell times that are so far apart.
_SAME_START_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Serving:
    """The process that serves HTTP for a home."""

    pid: int
    started_at: float
    """When the process began, as the system tells it."""
    url: str
    tokens: str
    """The absolute path of its file of tokens."""

    def __str__(self) -> str:
        return f"process {self.pid} at {self.url}"

    @property
    def lives(self) -> bool:
        """Whether that very process is still there."""
        with suppress(psutil.Error):
            begun = psutil.Process(self.pid).create_time()
            return abs(begun - self.started_at) < _SAME_START_SECONDS
        return False


def this_process(url: str, tokens: Path) -> Serving:
    """Return what is told of us."""
    return Serving(os.getpid(), psutil.Process().create_time(), url, str(tokens))


@contextmanager
def only_process(folder: Path, serving: Serving) -> Iterator[None]:
    """Hold the lock of a home within the context; the kernel drops it when we die.

    Args:
        folder: where the lock lies; it is made if need be.
        serving: us, for whoever finds it locked.

    Raises:
        HttpServedError: another process holds it.
        OSError: the folder cannot be used.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Without the kernel's locks a process that is killed would leave its lock for ever.
    lock = FileLock(folder / LOCK, mode=0o600, fallback_to_soft=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise HttpServedError(str(serving_of(folder) or "another process")) from None
    record = folder / RECORD
    try:
        new = record.with_suffix(".new")
        new.write_text(json.dumps(asdict(serving)), encoding="utf-8")
        os.replace(new, record)
        yield
    finally:
        with suppress(OSError):
            record.unlink()
        lock.release()


def serving_of(folder: Path) -> Serving | None:
    """Return which process serves HTTP, as far as it says so."""
    try:
        told = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        found = Serving(int(told["pid"]), float(told["started_at"]), told["url"], told["tokens"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if found.lives else None
