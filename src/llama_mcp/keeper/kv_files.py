"""The files in which prompt caches outlast a llama-server: names, records, hashes and room.

    kv/                            one folder for all models
        KEY/                       for each model as it was started (llama_server/saved_kv/key.py)
            incoming-RUN-SLOT.kv   what llama-server has written of one slot, at the end of a run
            SESSION.kv             the same, once it is known which session it is of
            *.kv.json              its record, which is written last: {"tokens", "bytes", "sha256",
                                   "saved_at", "run"}
            ineffective            this model cannot go on from a file

A file without its record is not proved whole: it may have any size, and is never read.
"""

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from llama_mcp.keeper import run_dir

FOLDER = "kv"
DATA = ".kv"
RECORD = ".json"
INEFFECTIVE = "ineffective"
# What a full disk costs others is more than what a prompt cache is worth.
LEAST_FREE_BYTES = 2**30
# What is not proved by then is left by a keeper that was killed.
ABANDONED_SECONDS = 3600.0
_INCOMING = re.compile(r"incoming-(?P<run>.+)-(?P<slot>\d+)\.kv")
_PIECE_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Proof:
    """What the record of a file says of it."""

    tokens: int
    bytes: int
    sha256: str
    run: str


@dataclass(frozen=True, slots=True)
class SavedFile:
    """A file as it lies there."""

    path: str
    bytes: int
    changed_at: float

    @property
    def name(self) -> str:
        """What it is called in its folder."""
        return os.path.basename(self.path)

    @property
    def is_proved(self) -> bool:
        """Whether it has a record."""
        return os.path.exists(self.path + RECORD)


def incoming_name(run: str, slot: int) -> str:
    """Return the name of what is saved of a slot, before its session is known."""
    return f"incoming-{run}-{slot}{DATA}"


def run_of(name: str) -> str | None:
    """Return the run that an incoming file is of; None for another file."""
    match = _INCOMING.fullmatch(name)
    return match["run"] if match else None


def proof_of(path: str) -> Proof | None:
    """Return what is recorded of a file; None when it is not proved."""
    try:
        record = run_dir.read_whole(path + RECORD) or {}
        return Proof(
            int(record["tokens"]), int(record["bytes"]), str(record["sha256"]), str(record["run"])
        )
    except (OSError, KeyError, TypeError, ValueError):
        return None


def prove(path: str, proof: Proof) -> None:
    """Write the record of a file.

    Raises:
        OSError: it cannot be written.
    """
    content: dict[str, Any] = {
        "tokens": proof.tokens,
        "bytes": proof.bytes,
        "sha256": proof.sha256,
        "saved_at": time.time(),
        "run": proof.run,
    }
    run_dir.write_whole(path + RECORD, content)


def digest_of(path: str, may_go_on: Callable[[], bool] = lambda: True) -> str | None:
    """Return the sha256 of a file; None when it may not go on to the end.

    Raises:
        OSError: it cannot be read.
    """
    whole = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(_PIECE_BYTES):
            if not may_go_on():
                return None
            whole.update(piece)
    return whole.hexdigest()


def remove(path: str) -> None:
    """Remove a file and its record, the record first: what is left of it is not proved."""
    for each in (path + RECORD, path):
        with suppress(OSError):
            os.unlink(each)


def files_in(folder: str) -> list[SavedFile]:
    """Return the files of one key."""
    try:
        with os.scandir(folder) as entries:
            return list(_saved(entries))
    except OSError:
        return []


def folders_in(root: str) -> list[str]:
    """Return the folders of all keys."""
    try:
        with os.scandir(root) as entries:
            return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def make_room(root: str, limit_bytes: int, wanted_bytes: int) -> bool:
    """Remove what was saved longest ago until so much more fits; tell whether it does.

    What another keeper may be writing counts, but stays.

    Args:
        root: the folder of all keys.
        limit_bytes: how much all files may take.
        wanted_bytes: how much is to come.
    """
    files = [file for folder in folders_in(root) for file in files_in(folder)]
    taken = sum(file.bytes for file in files) + wanted_bytes
    for file in sorted(files, key=lambda each: each.changed_at):
        if taken <= limit_bytes:
            break
        if wanted_bytes <= limit_bytes and (file.is_proved or is_abandoned(file)):
            remove(file.path)
            taken -= file.bytes
    return taken <= limit_bytes and _has_free(root, wanted_bytes)


def is_abandoned(file: SavedFile) -> bool:
    """Tell whether nobody will prove a file any more that is not proved."""
    return not file.is_proved and time.time() - file.changed_at > ABANDONED_SECONDS


def _saved(entries: Iterator["os.DirEntry[str]"]) -> Iterator[SavedFile]:
    for entry in entries:
        if entry.name.endswith(DATA) and entry.is_file(follow_symlinks=False):
            with suppress(OSError):
                found = entry.stat(follow_symlinks=False)
                yield SavedFile(entry.path, found.st_size, found.st_mtime)


def _has_free(root: str, wanted_bytes: int) -> bool:
    try:
        return shutil.disk_usage(root).free - wanted_bytes >= LEAST_FREE_BYTES
    except OSError:
        return False
