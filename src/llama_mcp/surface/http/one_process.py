"""One process of a home serves HTTP: turns, their queue and sealed requests live in one."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from llama_mcp.surface.http.errors import HttpServedError

LOCK = "http.lock"
RECORD = "http.json"


@contextmanager
def only_process(folder: Path, url: str) -> Iterator[None]:
    """Hold the lock of a home within the context; the kernel drops it when we die.

    Args:
        folder: where the lock lies; it must be there.
        url: where we serve, for whoever finds it locked.

    Raises:
        HttpServedError: another process holds it.
        OSError: the folder cannot be used.
    """
    # Without the kernel's locks a process that is killed would leave its lock for ever.
    lock = FileLock(folder / LOCK, mode=0o600, fallback_to_soft=False)
    record = folder / RECORD
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise HttpServedError(_holder(record)) from None
    try:
        new = record.with_suffix(".new")
        new.write_text(json.dumps({"pid": os.getpid(), "url": url}), encoding="utf-8")
        os.replace(new, record)
        yield
    finally:
        with suppress(OSError):
            record.unlink()
        lock.release()


def _holder(record: Path) -> str:
    try:
        told = json.loads(record.read_text(encoding="utf-8"))
        return f"process {int(told['pid'])} at {told['url']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
