"""The program that downloads: `python -m llama_mcp.models.download FOLDER`, the token on stdin.

A process of its own, so that it outlives the client that asked, and so that no download is in the
way of llama-mcp. It ends with its work, when it is asked to, or when its folder is gone.
"""

import contextlib
import errno
import os
import sys
import threading
import time
from collections import deque

from llama_mcp.keeper import lease_locks, spawning
from llama_mcp.models.download import records
from llama_mcp.models.download.errors import DISK_FULL
from llama_mcp.models.download.records import Progress, Request
from llama_mcp.models.download.transfer import working

_LOOK_SECONDS = 0.1
_RECORD_SECONDS = 0.4
# A rate over so long is steady, and follows what changes.
_RATE_SECONDS = 8.0


class Rate:
    """How many bytes come in a second, lately."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def note(self, now: float, bytes_done: int, *, is_receiving: bool) -> float:
        """Take where it is now, and return the rate; what is only checked does not count."""
        if not is_receiving or (self._seen and bytes_done < self._seen[-1][1]):
            self._seen.clear()
        self._seen.append((now, bytes_done))
        while now - self._seen[0][0] > _RATE_SECONDS:
            self._seen.popleft()
        (began, first), (ended, last) = self._seen[0], self._seen[-1]
        return (last - first) / (ended - began) if ended > began else 0.0


def download(folder: str, request: Request, token: str | None) -> int:
    """Do what was asked, and record how far it is, until it ends or is cancelled."""
    progress, rate = Progress(pid=os.getpid(), doing="asking the hub"), Rate()
    records.write(folder, records.PROGRESS, progress)
    worker = threading.Thread(
        target=working.work, args=(request, token, progress), daemon=True, name="download"
    )
    worker.start()
    recorded_at = 0.0
    while worker.is_alive():
        worker.join(_LOOK_SECONDS)
        now = time.monotonic()
        progress.bytes_per_second = rate.note(
            now, progress.bytes_done, is_receiving=not progress.doing
        )
        if records.is_cancelled(folder) and worker.is_alive():
            progress.state, progress.doing = "cancelled", ""
            records.write(folder, records.PROGRESS, progress)
            # The worker may wait for the hub. What it has is whole up to the last byte.
            os._exit(0)
        if worker.is_alive() and now - recorded_at > _RECORD_SECONDS:
            _record_if_there_is_room(folder, progress)
            recorded_at = now
    if progress.state == "downloading":
        return 1  # an error that nobody foresaw: Python has printed it into the log
    records.write(folder, records.PROGRESS, progress)
    return 0


def end_before_work(folder: str) -> int:
    """End because that was asked before the work began; what another one has reached is kept."""
    reached = records.read(folder, records.PROGRESS, Progress) or Progress()
    if reached.state in ("downloading", "failed"):
        reached.pid, reached.state, reached.doing = os.getpid(), "cancelled", ""
        records.write(folder, records.PROGRESS, reached)
    return 0


def _record_if_there_is_room(folder: str, progress: Progress) -> None:
    try:
        records.write(folder, records.PROGRESS, progress)
    except OSError as error:
        if error.errno not in (*DISK_FULL, errno.EFBIG):
            raise


def main() -> int:
    """Download what the folder on the command line asks for."""
    spawning.show_no_error_boxes()
    folder = sys.argv[1]
    token = sys.stdin.read().strip() or None
    if lease_locks.hold(os.path.join(folder, records.LOCK)) is None:
        return records.ANOTHER_WORKS
    request = records.read(folder, records.REQUEST, Request)
    if request is None:
        print(f"{records.REQUEST} is not there", file=sys.stderr)  # noqa: T201  # its log
        return 1
    if records.is_cancelled(folder):
        return end_before_work(folder)
    with contextlib.suppress(KeyboardInterrupt):
        return download(folder, request, token)
    return 1


if __name__ == "__main__":
    sys.exit(main())
