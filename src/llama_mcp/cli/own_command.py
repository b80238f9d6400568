"""The command that this process was started by, as a client can be told of it, and if it will last.

What lies in a temporary folder or in a tool's cache is gone one day, and with it every client's
server.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

COMMAND = "llama-mcp"
INSTALL_FOR_GOOD = (
    "Install it for good, with `uv tool install llama-mcp` or `pipx install llama-mcp`, and run "
    "that one."
)
# What the system may empty, at the latest when it starts.
_TEMPORARY = ("/tmp", "/var/tmp", "/private/tmp", "/private/var/tmp", "/dev/shm", "/run/user")
# Folders in which tools keep what they can make again: `uv run --with` and uvx, `pipx run`, and
# where macOS runs what was downloaded and not moved.
_CACHES = (
    ("uv", "archive-v0"),
    ("uv", "builds-v0"),
    ("uv", "environments-v2"),
    ("pipx", ".cache"),
    ("AppTranslocation",),
)


def own_command() -> tuple[str, ...]:
    """Return the absolute command, and its arguments, that start llama-mcp as we were started."""
    for found in (shutil.which(sys.argv[0]), Path(sys.executable).with_name(COMMAND)):
        path = Path(shutil.which(str(found)) or "") if found else Path()
        if path.stem.lower() == COMMAND and path.is_file():
            return (str(path.absolute()),)
    return (sys.executable, "-P", "-m", "llama_mcp")


def why_not_lasting(command: str, temporary: Iterable[str] | None = None) -> str | None:
    """Return why a command will be gone one day, as the end of a sentence; None when it will not.

    Args:
        command: its absolute path; where links lead from it counts as well.
        temporary: folders that are emptied; the system's by default.
    """
    folders = (*_TEMPORARY, tempfile.gettempdir()) if temporary is None else temporary
    for path in (Path(command).absolute(), Path(os.path.realpath(command))):
        for folder in folders:
            if path.is_relative_to(folder):
                return f"lies in the temporary folder {folder}"
        for cache in _CACHES:
            if _holds_in_order(path.parts, cache):
                return f"lies in a tool's cache ({path.parent})"
    return None


def _holds_in_order(parts: tuple[str, ...], names: tuple[str, ...]) -> bool:
    return any(parts[at : at + len(names)] == names for at in range(len(parts)))
