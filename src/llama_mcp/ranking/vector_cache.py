"""What models have made of texts, kept on disk: by the text's hash and the model's identity.

A folder a model, with files of many vectors each (segments.py). Any number of processes may use
it. What was used longest ago is thrown away when it takes more room than it may.
"""

import hashlib
import logging
import os
import stat
import time
from array import array
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
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
# Many calls leave a small file each, and every call opens all of its model.
SMALL_BYTES = 16 * 1024
MOST_SMALL = 64
_SETTING = "LLAMA_MCP_VECTOR_CACHE_MB"

# Makes room for the files that are needed, and tells whether there was room for all of them.
_MakeRoom = Callable[[Collection[str]], bool]


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
        room = f"{_SETTING}={self._limit_bytes / 2**20:g}"
        if not self.keeps:
            return KnownVectors(None, f"{room} keeps none of it", self.trim)
        folder = self._folder() / identity
        return KnownVectors(str(folder), f"{room} has no room for all of it", self.trim)

    def trim(self, needed: Collection[str] = ()) -> bool:
        """Throw away what was used longest ago, as far as there is too much.

        Args:
            needed: paths that go last, the newest of them first. What one call needs would push
                itself out otherwise, and the same call again would find nothing.

        Returns:
            Whether all that is needed is left.
        """
        files = sorted(_files_below(str(self._folder())), key=lambda file: file[1])
        own = [file for file in files if file[0] in needed]
        total = sum(size for _, _, size in files)
        has_all = True
        for path, _, size in [*(file for file in files if file[0] not in needed), *reversed(own)]:
            if total <= self._limit_bytes:
                break
            has_all = has_all and path not in needed
            with suppress(OSError):  # another process was quicker, or has it open
                os.unlink(path)
                total -= size
            with suppress(OSError):  # it is not empty
                os.rmdir(os.path.dirname(path))
        return has_all


class KnownVectors:
    """What is kept of one model. Any thread may use it.

    Args:
        folder: where; None keeps it in memory only.
        too_much: why it is not kept when there is no room for it, a clause.
        make_room: is called after something was written.
    """

    def __init__(self, folder: str | None, too_much: str, make_room: _MakeRoom) -> None:
        self.why_not_kept = "" if folder else too_much
        """Why not all that was added is kept, a clause; empty while it is."""
        self.has_grown = False
        """Whether anything was added."""
        self._path = folder
        self._too_much = too_much
        self._make_room = make_room
        self._places: dict[bytes, Place] = {}
        # Those of length one are numbers, with the file: a place of each would take more.
        self._numbers: dict[bytes, tuple[float, str]] = {}
        self._new: dict[bytes, Vector] = {}
        # The files that this call needs, and those of them whose time says so.
        self._used: set[str] = set()
        self._touched: set[str] = set()
        self._lock = Lock()
        if folder:
            self._load(folder)

    def number(self, key: bytes) -> float | None:
        """Return the only number of a vector that has length one; no file is looked at."""
        if new := self._new.get(key):
            return new[0]
        if (found := self._numbers.get(key)) is None:
            return None
        self._used.add(found[1])
        return found[0]

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Vector]:
        """Return the vectors that are known of these keys."""
        with self._lock:
            found: dict[bytes, Vector] = {}
            by_file: dict[str, dict[bytes, Place]] = defaultdict(dict)
            for key in keys:
                if key in self._new:
                    found[key] = self._new[key]
                elif (number := self.number(key)) is not None:
                    found[key] = array("f", [number])
                elif place := self._places.get(key):
                    by_file[place.path][key] = place
            for path, places in by_file.items():
                found.update(read_vectors(places.items()))
                self._used.add(path)
            self._touch()
        return found

    def add(self, vectors: Iterable[tuple[bytes, Vector]]) -> int:
        """Take new ones, and return how many are not on disk yet."""
        with self._lock:
            self._new.update(vectors)
            self.has_grown = self.has_grown or bool(self._new)
            return len(self._new)

    def save(self) -> None:
        """Write what is new; where that cannot be, it is made again another time."""
        with self._lock:
            new, self._new = self._new, {}
            # What is written once there is no room would push out what is needed, too.
            if self._path is None or self.why_not_kept or not new:
                return
            try:
                try:
                    self._write(self._path, new)
                except FileNotFoundError:  # another process has just thrown its last file away
                    self._write(self._path, new)
                self._join_small(self._path)
                self._touch()
                if not self._make_room(self._used):
                    self.why_not_kept = self._too_much
            except OSError as error:
                self.why_not_kept = f"it cannot be kept ({error.strerror or error})"
                _logger.info("Vectors cannot be kept: %s", error)

    def _load(self, folder: str) -> None:
        newest_first = sorted(_files_in(folder), key=lambda file: file[1], reverse=True)
        chosen: list[tuple[str, dict[bytes, Place]]] = []
        entries = 0
        for path, _, _ in newest_first:
            if entries >= MOST_ENTRIES:
                break
            chosen.append((path, table_of(path)))
            entries += len(chosen[-1][1])
        for path, table in reversed(chosen):  # of what was made twice the newer counts
            self._take_in(path, table)

    def _take_in(self, path: str, table: Mapping[bytes, Place]) -> None:
        if any(place.length == 1 for place in table.values()):
            numbers = read_vectors(table.items())
            self._numbers.update({key: (number[0], path) for key, number in numbers})
        else:
            self._places.update(table)

    def _write(self, folder: str, vectors: Mapping[bytes, Vector]) -> None:
        for path in (os.path.dirname(folder), folder):
            os.makedirs(path, mode=0o700, exist_ok=True)
        by_length: dict[int, dict[bytes, Vector]] = defaultdict(dict)
        for key, vector in vectors.items():
            by_length[len(vector)][key] = vector
        for group in by_length.values():
            path = write_segment(folder, group)
            self._used.add(path)
            self._take_in(path, table_of(path))

    def _join_small(self, folder: str) -> None:
        """Write what many small files hold into few; who reads one meanwhile makes it anew."""
        small = [path for path, _, size in _files_in(folder) if size < SMALL_BYTES]
        if len(small) <= MOST_SMALL:
            return
        held = {path: dict(read_vectors(table_of(path).items())) for path in small}
        self._write(folder, {key: item for group in held.values() for key, item in group.items()})
        for path in filter(held.get, small):  # not what another version has written
            self._used.discard(path)
            with suppress(OSError):  # another process was quicker, or has it open
                os.unlink(path)

    def _touch(self) -> None:
        """Note of files that they were used."""
        for path in self._used - self._touched:
            with suppress(OSError):
                os.utime(path)
        self._touched |= self._used


def _files_below(folder: str) -> Iterator[tuple[str, float, int]]:
    try:
        # What a link leads to is not ours to clear away.
        entries = os.scandir(folder)
        groups = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for group in groups:
        yield from _files_in(group)


def _files_in(folder: str) -> Iterator[tuple[str, float, int]]:
    """Give path, time of last use (seconds since 1970) and size in bytes of each file."""
    with suppress(OSError):
        for entry in os.scandir(folder):
            with suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
                    continue
                if entry.name.endswith(SUFFIX):
                    yield entry.path, status.st_mtime, status.st_size
                elif entry.name.endswith(SUFFIX + TEMPORARY):
                    _clear(entry.path, status.st_mtime)


def _clear(path: str, at: float) -> None:
    if time.time() - at > ABANDONED_SECONDS:
        os.unlink(path)
