"""Files that several processes use at once: tried again while Windows refuses.

Windows refuses to replace or delete a file that another process has open, and to open one that is
being replaced. Each lasts for microseconds, or for as long as a virus scanner looks at the file.
Elsewhere nothing of this is refused, and an error is final.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Short, because llama-mcp's event loop waits too; a right that is missing is told after it.
PATIENCE_SECONDS = 0.5
# A file can be replaced only while none of its readers reads, and a record must not be lost.
REPLACE_PATIENCE_SECONDS = 2.0
PAUSE_SECONDS = 0.002


def insist(
    action: Callable[[], T],
    patience_seconds: float = PATIENCE_SECONDS,
    *,
    is_refusing: bool = sys.platform == "win32",
) -> T:
    """Do it, again and again where the system may refuse for a moment.

    Args:
        action: may be begun again after it raised PermissionError.
        patience_seconds: for how long.
        is_refusing: whether this system refuses what other processes have open.

    Raises:
        PermissionError: it was refused to the end.
    """
    deadline = time.monotonic() + (patience_seconds if is_refusing else 0)
    while True:
        try:
            return action()
        except PermissionError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(PAUSE_SECONDS)


def replace(source: str, target: str) -> None:
    """Rename source to target, which others may be reading."""
    insist(lambda: os.replace(source, target), REPLACE_PATIENCE_SECONDS)


def read_bytes(path: str) -> bytes:
    """Return what a file holds that other processes may be replacing."""

    def read() -> bytes:
        with open(path, "rb") as file:
            return file.read()

    return insist(read)
