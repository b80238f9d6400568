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

from llama_mcp.keeper import sharing

LAUNCH = "launch.json"
STATE = "state.json"
STOP = "stop"
UNUSED = "unused"
LOG = "llama-server.log"
LEASES = "leases"


def write_whole(path: str, content: dict[str, Any]) -> None:
    """Replace the file at path by content as JSON.

    Its mode lets only the owner read it. Windows has no modes: there the folder's rights count.
    """
    temporary = f"{path}.{os.getpid()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with open(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file)
    sharing.replace(temporary, path)


def read_whole(path: str) -> dict[str, Any] | None:
    """Return the JSON object at path; None when there is no such file or it holds none."""
    try:
        content = json.loads(sharing.read_bytes(path))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return content if isinstance(content, dict) else None
