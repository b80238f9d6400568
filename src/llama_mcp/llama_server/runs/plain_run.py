"""The run that counts, where its records say so plainly; with the standard library alone.

For the list of resources, which is told before pydantic is imported. run.py knows every case.
"""

import json
import os
import platform
from pathlib import Path

from llama_mcp.keeper import boot, run_dir
from llama_mcp.llama_server.runs.namespaces import own_namespaces

CURRENT = "current.json"


def plain_current_folder(runs_dir: Path) -> Path | None:
    """Return the folder of the run that counts here; None when there never was one.

    Raises:
        LookupError: the records do not say it plainly.
        OSError: they cannot be read.
    """
    try:
        pointer = _read(runs_dir / CURRENT)
    except FileNotFoundError:
        if os.path.isdir(runs_dir) and any(entry.is_dir() for entry in os.scandir(runs_dir)):
            raise LookupError("nothing names the run that counts") from None
        return None
    folder = runs_dir / str(pointer.get("run"))
    here = {
        "host": platform.node(),
        "boot": boot.boot_id(),
        "namespaces": own_namespaces(),
    }
    if _read(folder / run_dir.LAUNCH).get("place") != here:
        raise LookupError("it was launched elsewhere, or before the machine was started again")
    return folder


def _read(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise LookupError(f"{path.name} is no JSON") from error
    if not isinstance(content, dict):
        raise LookupError(f"{path.name} is no record")
    return content
