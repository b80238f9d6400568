"""The folder of a download: the files by which the program and llama-mcp speak to each other.

    request.json    what was asked; written by llama-mcp before the program is started
    progress.json   how far it is, or how it ended; written by the program only
    cancel          its existence asks the program to end
    lock            locked by the program while it lives
    download.log    what it prints: nothing, unless it fails in a way that nobody foresaw

The token is in none of them: it comes through the program's standard input.
"""

import os
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypeVar

from llama_mcp.keeper import run_dir

REQUEST = "request.json"
PROGRESS = "progress.json"
CANCEL = "cancel"
LOCK = "lock"
LOG = "download.log"
# How the program ends when another one has the lock.
ANOTHER_WORKS = 3

State = Literal["downloading", "complete", "cancelled", "failed"]
Record = TypeVar("Record", "Request", "Progress")


@dataclass(slots=True)
class Request:
    """What was asked.

    Attributes:
        repo: and the next three, as `asked.Asked` has them.
        endpoint: the address of the hub.
        cache: the folder of its cache.
        is_offline: whether the hub is not to be asked.
        available_bytes: memory for a model; None where that is not known.
    """

    repo: str = ""
    quant: str = ""
    file: str = ""
    revision: str = ""
    endpoint: str = ""
    cache: str = ""
    is_offline: bool = False
    available_bytes: int | None = None


@dataclass(slots=True)
class Progress:
    """How far a download is.

    Attributes:
        pid: of the program that works on it.
        state: whether it works, or how it ended.
        why: of a failure, all that is to be told.
        doing: what it does now, where that is not to receive.
        repo: what the hub calls the repository.
        quant: which was chosen.
        files: `[name, size in bytes]` of each, the model's first one first.
        others: `[quant, size in bytes]` of those that were not chosen.
        path: the model's first file, by the name that programs find it by.
        bytes_done: of all files.
        bytes_total: of all files.
        bytes_per_second: of what was received lately.
        notes: what the caller should know; sentences.
        is_from_cache: whether the hub was not asked, so that it may have another model by now.
    """

    pid: int = 0
    state: State = "downloading"
    why: str = ""
    doing: str = ""
    repo: str = ""
    quant: str = ""
    files: list[list[Any]] = field(default_factory=list)
    others: list[list[Any]] = field(default_factory=list)
    path: str = ""
    bytes_done: int = 0
    bytes_total: int = 0
    bytes_per_second: float = 0.0
    notes: list[str] = field(default_factory=list)
    is_from_cache: bool = False


def write(folder: str, name: str, record: Request | Progress) -> None:
    """Write a record whole."""
    run_dir.write_whole(os.path.join(folder, name), asdict(record))


def read(folder: str, name: str, kind: type[Record]) -> Record | None:
    """Return a record; None when it is not there, or holds what no version of ours has written."""
    content = run_dir.read_whole(os.path.join(folder, name))
    if content is None:
        return None
    known = {each.name: content[each.name] for each in fields(kind) if each.name in content}
    blank = kind()
    is_sound = all(_is_like(value, getattr(blank, name)) for name, value in known.items())
    return kind(**known) if is_sound else None


def is_cancelled(folder: str) -> bool:
    """Tell whether somebody has asked the program to end."""
    return os.path.exists(os.path.join(folder, CANCEL))


def _is_like(value: Any, default: Any) -> bool:
    if default is None:
        return value is None or isinstance(value, int)
    kinds = (int, float) if isinstance(default, float) else (type(default),)
    return isinstance(value, kinds)
