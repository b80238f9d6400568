"""The run directory: the files by which the keeper and llama-mcp speak to each other.

    launch.json       what was asked; written by llama-mcp before the keeper is started
    state.json        what is; written by the keeper only
    stop              its existence asks the keeper to stop llama-server
    unused            the keeper stops llama-server, since nobody holds a lease
    keeper.log        what the keeper says of its own work
    llama-server.log  what llama-server printed
    leases/           one file for each llama-mcp process that uses the llama-server

Files are written whole and renamed into place, so that a reader never sees half of one.
"""

import json
import os
from typing import Any

LAUNCH = "launch.json"
STATE = "state.json"
STOP = "stop"
UNUSED = "unused"
LOG = "llama-server.log"
LEASES = "leases"


def write_whole(path: str, content: dict[str, Any]) -> None:
    """Replace the file at path by content as JSON, readable by its owner only."""
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file)
    os.replace(temporary, path)


def read_whole(path: str) -> dict[str, Any] | None:
    """Return the JSON object at path; None when there is no such file or it holds none."""
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return content if isinstance(content, dict) else None
