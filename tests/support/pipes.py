"""Pipes with a name in a folder, which only POSIX has."""

import os
import sys
from pathlib import Path


def make_pipe(path: Path) -> Path:
    """Make a pipe; a test that calls this is marked `posix`."""
    if sys.platform == "win32":
        raise OSError("Windows has no pipes in folders")
    os.mkfifo(path)
    return path
