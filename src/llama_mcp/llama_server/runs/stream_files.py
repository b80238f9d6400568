"""The files of one stream in its run's folder: llama-mcp and the keeper share its reading by them.

keeper/run_dir.py says what each of them is. The kernel lets go of the lock when its holder dies,
however it dies; the keeper reads on then.
"""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel

from llama_mcp.keeper import lease_locks, run_dir, sharing
from llama_mcp.llama_server.runs.creating import make_private_folder

# The keeper only tries a lock, for microseconds.
LOCK_SECONDS = 1.0
LOCK_POLL_SECONDS = 0.01


class StreamEnding(BaseModel, frozen=True):
    """How a stream ended that the keeper read."""

    from_byte: int = 0
    is_done: bool = False
    why: str = run_dir.LOST
    """One of the words of keeper/run_dir.py."""


class StreamFiles:
    """The files of one stream; every method works on them anew. Used by one thread at a time."""

    def __init__(self, run_folder: Path, stream_id: str) -> None:
        self._folder = run_folder
        self._id = stream_id
        self._lock_fd: int | None = None

    def register(self, *, is_told: bool) -> None:
        """Let the keeper know of a stream that will begin, and that this process reads it.

        Raises:
            OSError: it cannot be written.
        """
        make_private_folder(self._folder / run_dir.STREAMS)
        self._lock_fd = lease_locks.hold(self._path(run_dir.STREAM_LOCK))
        self.note(0, is_told=is_told)

    def is_registered(self) -> bool:
        """Tell whether the stream has begun, and was not removed since."""
        return os.path.exists(self._path(run_dir.STREAM_RECORD))

    def note(self, saved_bytes: int, *, is_told: bool) -> None:
        """Write down up to which byte the archive has it, and whether somebody may come back.

        Raises:
            OSError: it cannot be written.
        """
        content = {"saved_bytes": saved_bytes, "is_told": is_told}
        run_dir.write_whole(self._path(run_dir.STREAM_RECORD), content)

    def is_told(self) -> bool:
        """Tell whether somebody was told that the reply goes on."""
        noted = run_dir.read_whole(self._path(run_dir.STREAM_RECORD)) or {}
        return bool(noted.get("is_told"))

    def take(self, patience_seconds: float = LOCK_SECONDS) -> bool:
        """Take over the reading; return whether nobody else reads."""
        deadline = time.monotonic() + patience_seconds
        while self._lock_fd is None:
            self._lock_fd = lease_locks.hold(self._path(run_dir.STREAM_LOCK))
            if self._lock_fd is None:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(LOCK_POLL_SECONDS)
        return True

    def release(self) -> None:
        """Leave the reading to others."""
        fd, self._lock_fd = self._lock_fd, None
        if fd is not None:
            os.close(fd)

    def ending(self) -> StreamEnding | None:
        """Return how it ended; None when the keeper has not seen its end."""
        content = run_dir.read_whole(self._path(run_dir.STREAM_END))
        try:
            return None if content is None else StreamEnding.model_validate(content)
        except ValueError:
            return StreamEnding()

    def take_with_rest(self, byte: int) -> bytes | None:
        """Take over the reading; return what the keeper has read, from that byte on.

        Returns:
            It; None when somebody else reads.
        """
        # Opened before the lock is taken: the keeper removes the file when it sees the lock, and
        # llama-server may have no more than the end of a long stream.
        body = self._open_body(byte)
        try:
            if not self.take():
                return None
            body = body or self._open_body(byte)
            return b"" if body is None else body.read()
        finally:
            if body is not None:
                body.close()

    def remove(self) -> None:
        """Remove what there is of the stream, because its reply is in the archive.

        Nothing is removed that another process reads.
        """
        if not self.take(patience_seconds=0):
            return
        own = [self._path(run_dir.STREAM_RECORD), self._path(run_dir.STREAM_END)]
        for path in [*own, *self._bodies().values()]:
            _remove(path)
        self.release()
        _remove(self._path(run_dir.STREAM_LOCK))

    def _open_body(self, byte: int) -> BinaryIO | None:
        """Return the file that has what comes from that byte on; it stands there."""
        bodies = self._bodies()
        first = max((first for first in bodies if first <= byte), default=None)
        if first is None:
            return None
        try:
            body = open(bodies[first], "rb")  # noqa: SIM115 - closed by who asked
        except OSError:
            return None
        body.seek(byte - first)
        return body

    def _bodies(self) -> dict[int, str]:
        """Return the files that the keeper has written, by the byte at which each begins."""
        bodies: dict[int, str] = {}
        for path in lease_locks.paths_in(os.path.join(self._folder, run_dir.STREAMS)):
            # Of regular expressions, one for each stream, Python would keep hundreds.
            stream_id, _, rest = os.path.basename(path).partition(".")
            first = rest.removesuffix(run_dir.STREAM_BODY)
            if stream_id == self._id and first != rest and first.isdecimal():
                bodies[int(first)] = path
        return bodies

    def _path(self, ending: str) -> str:
        return run_dir.stream_file(str(self._folder), self._id, ending)


def _remove(path: str) -> None:
    with suppress(OSError):
        sharing.insist(lambda: os.unlink(path))
