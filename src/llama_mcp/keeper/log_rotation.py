"""Keeps llama-server's log bounded.

llama-server holds the file open in append mode, so it is copied and cut, not renamed: a line that
is written between the two is lost, which is the price of never standing between it and its log.
"""

import contextlib
import os
import shutil
import sys

from llama_mcp.keeper import sharing, windows

MAX_LOG_BYTES = 10_000_000
KEPT_LOGS = 3


def open_log(path: str) -> int:
    """Return a descriptor of the log, by which llama-server appends to it.

    Raises:
        OSError: it cannot be opened.
    """
    if sys.platform == "win32":
        return windows.open_to_append(path)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def rotate_when_large(path: str, max_bytes: int = MAX_LOG_BYTES) -> None:
    """Move a log that has outgrown max_bytes to path.1, path.1 to path.2, and so on."""
    try:
        if os.path.getsize(path) <= max_bytes:
            return
        for number in range(KEPT_LOGS - 1, 0, -1):
            older = f"{path}.{number}"
            if os.path.exists(older):
                sharing.replace(older, f"{path}.{number + 1}")
        shutil.copyfile(path, f"{path}.1")
        os.chmod(f"{path}.1", 0o600)
        os.truncate(path, 0)
    except FileNotFoundError:
        return  # somebody has cleared it away; llama-server writes on into nothing
    except OSError:
        # A full disk must end neither the keeper nor llama-server; cutting needs no space.
        with contextlib.suppress(OSError):
            os.truncate(path, 0)
