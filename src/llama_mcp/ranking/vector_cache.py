"""What models have made of texts, kept on disk: by the text's hash and the model's identity.

A folder a model, with files of many vectors each (segments.py). Any number of processes may use
it. What was used longest ago is thrown away when it takes more room than it may.
"""

import hashlib
import logging
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

from llama_mcp.llama_server.rank_server import Vector
from llama_mcp.ranking.segments import (
    SUFFIX,
    TEMPORARY,
    Place,
    read_vectors,
    table_of,
    write_segment,
)

_logger = logging.getLogger(__name__)

# A hundred bytes each in memory; more are as good as not kept.
MOST_ENTRIES = 500_000
# What a process has not finished by then is left by one that was killed.
ABANDONED_SECONDS = 3600.0


def key_of(*parts: str) -> bytes:
    """Return what something is kept by; other parts have another key."""
    whole = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        whole.update(len(raw).to_bytes(8, "big") + raw)
    return whole.digest()


class VectorCache:
    """All that is kept. Every method looks at files: call it in a thread.

    Args:
        folder: returns where; it may raise LlamaMCPError or OSError.
        limit_bytes: how much room it may take; 0 keeps nothing.
    """

    def __init__(self, folder: Callable[[], Path], limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes

    @property
    def keeps(self) -> bool:
        """Whether anything is kept."""
        return self._limit_bytes > 0

    def of(self, identity: str) -> "KnownVectors":
        """Return what is known of one model."""
        if not self.keeps:
            return KnownVectors(None, lambda: None)
        folder = self._folder() / identity
        return KnownVectors(str(folder), self.trim)

    def trim(self) -> None:
        """Throw away what was used longest ago, as far as there is too much."""
        files = sorted(_files_below(str(self._folder())), key=lambda file: file[1])
        total = sum(size for _, _, size in files)
        for path, _, size in files:
            if total <= self._limit_bytes:
                break
            with suppress(OSError):  # another process was quicker, or has it open
                os.unlink(path)
                total -= size
            with suppress(OSError):  # it is not empty
                os.rmdir(os.path.dirname(path))


class KnownVectors:
    """What is kept of one model. Any thread may use it.

    Args:
        folder: where; None keeps it in memory only.
        trim: makes room after something was written.
    """

    def __init__(self, folder: str | None, trim: Callable[[], None]) -> None:
        self._path = folder
        self._trim = trim
        self._places: dict[bytes, Place] = {}
        # Those of length one are numbers: a place for each would take more than they do.
        self._numbers: dict[bytes, Vector] = {}
        self._new: dict[bytes, Vector] = {}
        self._touched: set[str] = set()
        self._lock = Lock()
        if folder:
            self._load(folder)

    def number(self, key: bytes) -> float | None:
        """Return the only number of a vector that has length one; no file is looked at."""
        found = self._new.get(key) or self._numbers.get(key)
        return found[0] if found else None

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Vector]:
        """Return the vectors that are known of these keys."""
        with self._lock:
            found = {
                key: near[key] for near in (self._numbers, self._new) for key in keys if key in near
            }
            by_file: dict[str, dict[bytes, Place]] = defaultdict(dict)
            for key in keys:
                if key not in found and (place := self._places.get(key)):
                    by_file[place.path][key] = place
            for path, places in by_file.items():
                found.update(read_vectors(places.items()))
                self._touch(path)
        return found

    def add(self, vectors: Iterable[tuple[bytes, Vector]]) -> int:
        """Take new ones, and return how many are not on disk yet."""
        with self._lock:
            self._new.update(vectors)
            return len(self._new)

    def save(self) -> None:
        """Write what is new; where that cannot be, it is made again another time."""
        with self._lock:
            new, self._new = self._new, {}
            if self._path is None or not new:
                return
            by_length: dict[int, dict[bytes, Vector]] = defaultdict(dict)
            for key, vector in new.items():
                by_length[len(vector)][key] = vector
            try:
                for folder in (os.path.dirname(self._path), self._path):
                    os.makedirs(folder, mode=0o700, exist_ok=True)
                for vectors in by_length.values():
                    self._take_in(write_segment(self._path, vectors), vectors)
                self._trim()
            except OSError as error:
                _logger.info("Vectors cannot be kept: %s", error)

    def _load(self, folder: str) -> None:
        newest_first = sorted(_files_in(folder), key=lambda file: file[1], reverse=True)
        for path, _, _ in newest_first:
            self._take_in(path)
            if len(self._places) + len(self._numbers) >= MOST_ENTRIES:
                break

    def _take_in(self, path: str, known: Mapping[bytes, Vector] | None = None) -> None:
        table = table_of(path)
        if any(place.length == 1 for place in table.values()):
            self._numbers.update(known or read_vectors(table.items()))
            self._touch(path)
        else:
            self._places.update(table)

    def _touch(self, path: str) -> None:
        """Note that a file was used."""
        if path not in self._touched:
            self._touched.add(path)
            with suppress(OSError):
                os.utime(path)


def _files_below(folder: str) -> Iterator[tuple[str, float, int]]:
    try:
        groups = [entry.path for entry in os.scandir(folder) if entry.is_dir()]
    except OSError:
        return
    for group in groups:
        yield from _files_in(group)


def _files_in(folder: str) -> Iterator[tuple[str, float, int]]:
    """Give path, time of last use (seconds since 1970) and size in bytes of each file."""
    with suppress(OSError):
        for entry in os.scandir(folder):
            with suppress(OSError):
                status = entry.stat()
                if entry.name.endswith(SUFFIX):
                    yield entry.path, status.st_mtime, status.st_size
                elif entry.name.endswith(TEMPORARY):
                    _clear(entry.path, status.st_mtime)


def _clear(path: str, at: float) -> None:
    if time.time() - at > ABANDONED_SECONDS:
        os.unlink(path)
