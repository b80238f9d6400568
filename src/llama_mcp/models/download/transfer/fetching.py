"""Fetching files: resumed where somebody has left off, checked, and only then made a model.

A half file is llama-server's too: either goes on with what the other has left. What is there is
hashed first; the rest is hashed while it comes, beside the reading. Any moment is a good one to be
killed at: a half file has a name that no program takes for a model.
"""

import contextlib
import errno
import os
import queue
import threading
import time
from collections.abc import Iterator
from hashlib import sha1, sha256
from itertools import cycle
from typing import Protocol

from filelock import FileLock, Timeout

from llama_mcp.keeper import sharing
from llama_mcp.models.download.asked import Asked
from llama_mcp.models.download.errors import (
    DISK_FULL,
    BusyHubError,
    CutOffError,
    DownloadFailedError,
    WrongContentError,
)
from llama_mcp.models.download.records import Progress
from llama_mcp.models.download.transfer.cache import RepositoryCache, size_of
from llama_mcp.models.download.transfer.choice import HubFile
from llama_mcp.models.download.transfer.hub import Hub, Repository
from llama_mcp.models.download.transfer.patience import Patience
from llama_mcp.wording import size_text

# A large piece costs less for each byte; a small one is sooner in the file, and is all that a kill
# loses. So it is what comes in about a tenth of a second.
SMALLEST_PIECE, LARGEST_PIECE = 4 * 1024, 1024 * 1024
FIRST_PIECE = 16 * 1024
_QUICK_SECONDS, _SLOW_SECONDS = 0.05, 0.2
# Pieces that wait to be hashed: where the disk or the network is quicker, they wait for the hash.
_PIECES_AHEAD = 2
_LOOK_SECONDS = 0.3
_SETTLE_SECONDS = 0.5
# Left on a full disk, so that the record of what happened can be written.
_ROOM_BYTES = 2**20


class Digest(Protocol):
    """What hashlib gives."""

    def update(self, data: memoryview, /) -> None:
        """Take more bytes."""

    def hexdigest(self) -> str:
        """Return the hash of what was taken."""


class Fetching:
    """The files of one model, one after the other."""

    def __init__(
        self, hub: Hub, cache: RepositoryCache, repository: Repository, asked: Asked
    ) -> None:
        self._hub = hub
        self._cache = cache
        self._repository = repository
        self._asked = asked

    def fetch(self, file: HubFile, progress: Progress) -> None:
        """Bring a file whole into the cache.

        Raises:
            DownloadFailedError: it cannot be had.
            OSError: the disk refused it.
        """
        before = progress.bytes_done
        self._cache.make_room(file)
        with self._alone(file, progress, before):
            if not self._cache.has(self._repository.commit, file):
                self._insist(file, progress, before)
        progress.bytes_done = before + file.size_bytes

    @contextlib.contextmanager
    def _alone(self, file: HubFile, progress: Progress, before: int) -> Iterator[None]:
        """Hold the file's lock; while another program does, show how far that is."""
        lock = FileLock(self._cache.lock(file))
        while True:
            try:
                lock.acquire(timeout=0)
                break
            except Timeout:
                progress.doing = f"another program fetches {file.path}"
                progress.bytes_done = before + (size_of(self._cache.half(file)) or 0)
                time.sleep(_LOOK_SECONDS)
        try:
            progress.doing = ""
            yield
        finally:
            lock.release()

    def _insist(self, file: HubFile, progress: Progress, before: int) -> None:
        """Try until the file is whole, as long as that leads anywhere."""
        patience = Patience(f"{file.path} of {self._asked.name}")
        was_wrong = False
        while True:
            had = size_of(self._cache.half(file)) or 0
            try:
                return self._go_on(file, progress, before)
            except WrongContentError as error:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._cache.half(file))
                if was_wrong:
                    raise _wrong_twice(file, self._asked, error) from error
                was_wrong = True
                progress.notes.append(
                    f"{file.path} was not what the hub describes ({error}), was removed, and is "
                    "fetched anew."
                )
            except (BusyHubError, CutOffError) as error:
                has_come = (size_of(self._cache.half(file)) or 0) > had
                patience.wait_after(error, progress, has_come=has_come)

    def _go_on(self, file: HubFile, progress: Progress, before: int) -> None:
        """Fetch what is missing of a file, and check the whole."""
        half = self._cache.half(file)
        if (size_of(half) or 0) > file.size_bytes:
            os.unlink(half)
        with Hashing(_digest(file)) as hashing:
            had = self._hash_what_is_there(file, hashing, progress, before)
            if had < file.size_bytes or not os.path.exists(half):
                self._receive(file, had, hashing, progress, before)
            found = hashing.result()
        if found != file.oid:
            raise WrongContentError(f"its hash is {found[:12]}…, not {file.oid[:12]}…")
        _put(half, self._cache.blob(file))

    def _hash_what_is_there(
        self, file: HubFile, hashing: "Hashing", progress: Progress, before: int
    ) -> int:
        had = 0
        with contextlib.suppress(FileNotFoundError), open(self._cache.half(file), "rb", 0) as old:
            if os.fstat(old.fileno()).st_size:
                progress.doing = f"checking what is there of {file.path}"
            while (size := old.readinto(buffer := hashing.buffer())) > 0:
                hashing.take(buffer[:size])
                had += size
                progress.bytes_done = before + had
        progress.doing = ""
        return had

    def _receive(
        self, file: HubFile, had: int, hashing: "Hashing", progress: Progress, before: int
    ) -> None:
        with self._hub.file(self._repository, self._asked, file, had) as (read, begins_at):
            if begins_at != had:
                hashing.begin_anew(_digest(file))
            half = self._cache.half(file)
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
            with (
                open(os.open(half, flags, 0o666), "r+b", buffering=0) as out,
                _settling(out.fileno()),
            ):
                out.truncate(begins_at)
                out.seek(begins_at)
                at, size = begins_at, FIRST_PIECE
                while at < file.size_bytes:
                    buffer = hashing.buffer()[: min(size, file.size_bytes - at)]
                    began = time.monotonic()
                    if not (come := read(buffer)):
                        break
                    size = next_size(size, time.monotonic() - began)
                    _write(out.fileno(), buffer[:come], at)
                    hashing.take(buffer[:come])
                    at += come
                    progress.bytes_done = before + at
        if at < file.size_bytes:
            raise CutOffError(f"the connection broke off after {size_text(at)}")


def next_size(size_bytes: int, seconds: float) -> int:
    """Return how large the next piece should be, after one that took so long."""
    if seconds < _QUICK_SECONDS:
        return min(size_bytes * 2, LARGEST_PIECE)
    return max(size_bytes // 2, SMALLEST_PIECE) if seconds > _SLOW_SECONDS else size_bytes


class Hashing:
    """A hash that is computed beside the reading, by a thread of its own."""

    def __init__(self, digest: Digest) -> None:
        self._digest = digest
        self._pieces: queue.Queue[memoryview | None] = queue.Queue(_PIECES_AHEAD)
        # One is read into, one is hashed, the others wait.
        buffers = [memoryview(bytearray(LARGEST_PIECE)) for _ in range(_PIECES_AHEAD + 2)]
        self._buffers = cycle(buffers)
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> "Hashing":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self._pieces.put(None)
            self._thread.join()

    def buffer(self) -> memoryview:
        """Return a buffer to read into; it is free again once as many others were taken."""
        return next(self._buffers)

    def take(self, piece: memoryview) -> None:
        """Take the next bytes, in the buffer that was given last; waits while many are waiting."""
        self._pieces.put(piece)

    def begin_anew(self, digest: Digest) -> None:
        """Forget what was taken."""
        self._pieces.join()
        self._digest = digest

    def result(self) -> str:
        """Return the hash of all that was taken."""
        self._pieces.join()
        return self._digest.hexdigest()

    def _work(self) -> None:
        while (piece := self._pieces.get()) is not None:
            self._digest.update(piece)
            self._pieces.task_done()


def _digest(file: HubFile) -> Digest:
    """Return the hash that names the file: git's own has the size in front."""
    if file.is_lfs:
        return sha256()
    return sha1(b"blob %d\0" % file.size_bytes, usedforsecurity=False)


def _write(fd: int, piece: memoryview, at: int) -> None:
    """Write at a place of a half file, if nobody else has written to it or taken it away."""
    state = os.fstat(fd)
    if state.st_size != at:
        raise CutOffError("another program writes to the same half file")
    if not state.st_nlink:
        raise FileNotFoundError(errno.ENOENT, "the file that was written to was removed")
    try:
        while piece:
            piece = piece[os.write(fd, piece) :]
    except OSError as error:
        if error.errno in DISK_FULL and at > _ROOM_BYTES:
            os.ftruncate(fd, at - _ROOM_BYTES)
        raise


@contextlib.contextmanager
def _settling(fd: int) -> Iterator[None]:
    """Bring what is written to the disk meanwhile, so that little is left for the end."""
    is_over = threading.Event()

    def settle() -> None:
        while not is_over.wait(_SETTLE_SECONDS):
            with contextlib.suppress(OSError):  # the end of the file says what is wrong
                os.fsync(fd)

    thread = threading.Thread(target=settle, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _put(half: str, blob: str) -> None:
    """Make a checked half file the whole one, on the disk before it has that name."""
    with open(half, "r+b") as file:
        os.fsync(file.fileno())
    sharing.replace(half, blob)


def _wrong_twice(file: HubFile, asked: Asked, error: WrongContentError) -> DownloadFailedError:
    return DownloadFailedError(
        f"{file.path} of {asked.repo} came twice, and was not the file that the hub describes: "
        f"{error}. What came was removed. A proxy or a mirror on the way may change it, or the "
        "file on the hub is damaged: try again later or from another network, or take another "
        "quant."
    )
