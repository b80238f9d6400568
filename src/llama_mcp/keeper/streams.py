"""The replies under way whose reader is gone: kept for the next reader, and ended in time.

Each llama-mcp registers the streams that it reads (run_dir.py) and locks them as long as it reads.
One that nobody reads counts as use of llama-server, for finish_seconds at most. All of them are
ended before llama-server is asked to end, since one that is not done holds it up for ever.
"""

import contextlib
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from llama_mcp.keeper import lease_locks, run_dir
from llama_mcp.keeper.run_dir import LOST, STOPPED, TIME, UNWANTED

if TYPE_CHECKING:
    from llama_mcp.keeper.stream_copy import StreamCopy

# So long a new process may ask for a reply of which nobody was told that it is in progress.
GRACE_SECONDS = 10.0
# For threads that have all they need to write their last record.
CONCLUDE_SECONDS = 0.3
# Where llama-server does not answer, its stream counts as ended after that.
END_SECONDS = 10.0


class Streams:
    """The streams of one run. Only end_all waits for llama-server, and it has a limit."""

    def __init__(self, folder: str, launch: dict[str, Any], say: Callable[[str], None]) -> None:
        """Take the run folder, its launch.json and what writes a line into the keeper's log."""
        self._folder = folder
        self._say = say
        self._finish_seconds = float(launch.get("finish_seconds", 0))
        self._port = int(launch.get("port", 0))
        self._api_key = launch.get("environment", {}).get(run_dir.API_KEY_VARIABLE)
        self._copies: dict[str, StreamCopy] = {}
        self._gone_since: dict[str, float] = {}

    def look(self) -> bool:
        """Keep what nobody reads and end what nobody wants; tell whether one counts as use."""
        registered = run_dir.registered_streams(self._folder)
        self._drop_all_but(registered)
        in_use = [stream_id for stream_id in registered if self._look_at(stream_id)]
        return bool(in_use)

    def end_all(self, limit_seconds: float) -> None:
        """Keep what there is of each, read or not, and have llama-server end them.

        Args:
            limit_seconds: after that it returns, done or not.
        """
        deadline = time.monotonic() + limit_seconds
        copies = [self._copy_of(stream_id) for stream_id in self._unended()]
        for copy in copies:
            # Half of the time: the rest is for their end.
            copy.has_caught_up.wait(max(0.0, deadline - limit_seconds / 2 - time.monotonic()))
        for copy in copies:
            copy.end(STOPPED)
        for copy in copies:
            copy.is_over.wait(max(0.0, deadline - time.monotonic()))

    def conclude_all(self, *, was_stopped: bool) -> None:
        """Write how each has ended whose reader is gone; llama-server has ended."""
        deadline = time.monotonic() + CONCLUDE_SECONDS
        for stream_id in self._unended():
            if stream_id not in self._copies and self._is_read(stream_id):
                continue
            copy = self._copies.get(stream_id) or self._new_copy(stream_id)
            copy.is_over.wait(max(0.0, deadline - time.monotonic()))
            with contextlib.suppress(OSError):
                copy.conclude(STOPPED if was_stopped else LOST)
        self._drop_all_but(run_dir.registered_streams(self._folder))

    def _look_at(self, stream_id: str) -> bool:
        if self._has_ended(stream_id) or self._is_read(stream_id):
            self._gone_since.pop(stream_id, None)
            return False
        copy = self._copy_of(stream_id)
        now = time.monotonic()
        gone_seconds = now - self._gone_since.setdefault(stream_id, now)
        is_told = bool(self._record(stream_id).get("is_told"))
        why = reason_to_end(gone_seconds, self._finish_seconds, is_told=is_told)
        if why:
            copy.end(why)
        return gone_seconds < self._finish_seconds + END_SECONDS

    def _copy_of(self, stream_id: str) -> "StreamCopy":
        if stream_id not in self._copies:
            self._copies[stream_id] = self._new_copy(stream_id)
            self._copies[stream_id].start()
        return self._copies[stream_id]

    def _new_copy(self, stream_id: str) -> "StreamCopy":
        from llama_mcp.keeper.stream_copy import LlamaServer, StreamCopy

        saved = self._record(stream_id).get("saved_bytes")
        first_byte = saved if isinstance(saved, int) else 0
        server = LlamaServer(self._port, self._api_key)
        return StreamCopy(self._folder, stream_id, first_byte, server, self._say)

    def _drop_all_but(self, registered: list[str]) -> None:
        for stream_id in set(self._copies) - set(registered):
            copy = self._copies[stream_id]
            copy.end(UNWANTED)
            if copy.is_over.is_set():  # else its thread would write a file again
                copy.remove()
                del self._copies[stream_id]

    def _unended(self) -> list[str]:
        registered = run_dir.registered_streams(self._folder)
        return [stream_id for stream_id in registered if not self._has_ended(stream_id)]

    def _has_ended(self, stream_id: str) -> bool:
        return os.path.exists(run_dir.stream_file(self._folder, stream_id, run_dir.STREAM_END))

    def _is_read(self, stream_id: str) -> bool:
        path = run_dir.stream_file(self._folder, stream_id, run_dir.STREAM_LOCK)
        return lease_locks.is_locked(path)

    def _record(self, stream_id: str) -> dict[str, Any]:
        path = run_dir.stream_file(self._folder, stream_id, run_dir.STREAM_RECORD)
        try:
            return run_dir.read_whole(path) or {}
        except OSError:
            return {}


def reason_to_end(gone_seconds: float, finish_seconds: float, *, is_told: bool) -> str | None:
    """Return why a stream is ended whose reader is gone for so long; None while it may go on."""
    if gone_seconds >= finish_seconds:
        return TIME
    return UNWANTED if not is_told and gone_seconds >= GRACE_SECONDS else None
