"""Whether nobody has had a turn for so long that llama-server can be unloaded until the next one.

llama-mcp sets the time of the file `used` when a turn begins and ends, and about once a second
while one goes on. The keeper looks whether that time changes: no clock is compared with another,
and a machine that was asleep has not been idle. Before the end llama-server is asked once whether
anything runs, as somebody may use it without llama-mcp.
"""

import json
import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from llama_mcp.keeper import run_dir, sharing

# One that loads, is busy with something long or hangs is asked again after that.
AGAIN_SECONDS = 5.0
# An idle one answers within milliseconds; a stop that is asked for meanwhile has to wait.
ANSWER_SECONDS = 1.0


class Idleness:
    """Tells when llama-server may be stopped until the next turn."""

    def __init__(self, folder: str, launch: dict[str, Any], say: Callable[[str], None]) -> None:
        """Take the run folder, its launch.json and what writes a line into the keeper's log."""
        self.seconds = float(launch.get("idle_seconds", 0))
        self._folder = folder
        self._port = int(launch.get("port", 0))
        self._api_key = launch.get("environment", {}).get(run_dir.API_KEY_VARIABLE)
        self._say = say
        self._marks = self._look()
        self._used_at = time.monotonic()
        # When it last left the question unanswered.
        self._asked_at: float | None = None

    def note_use(self) -> None:
        """Count as use what does not show in the files: a reply that goes on without its reader."""
        self._used_at = time.monotonic()

    def is_over(self) -> bool:
        """Tell whether llama-server may be stopped now; then newcomers know that it will be.

        It takes two seconds at the most, when llama-server does not answer.
        """
        if self.seconds <= 0 or self._is_used() or not self._has_lasted():
            return False
        return not self._runs_anything() and self._is_still_unused()

    def _has_lasted(self) -> bool:
        now = time.monotonic()
        may_ask = self._asked_at is None or now - self._asked_at >= AGAIN_SECONDS
        return now - self._used_at >= self.seconds and may_ask

    def _is_used(self) -> bool:
        """Tell whether something has happened since the last look."""
        before, self._marks = self._marks, self._look()
        if self._marks != before:
            self.note_use()
        return self._marks != before

    def _look(self) -> list[int]:
        # That a model has got ready is the beginning of its idle time.
        return [_changed_at(os.path.join(self._folder, name)) for name in _MARKS]

    def _runs_anything(self) -> bool:
        """Ask llama-server; one that does not say is left alone for the time being."""
        is_silent = os.path.exists(os.path.join(self._folder, run_dir.UNRESPONSIVE))
        busy = None if is_silent else _busy_slots(self._port, self._api_key)
        if busy is None and self._asked_at is None:
            self._say("no turn for long; llama-server stays, as it does not say what it does")
        self._asked_at = time.monotonic() if busy is None else None
        if busy:
            self.note_use()
        return busy != 0

    def _is_still_unused(self) -> bool:
        """Announce the end, then look once more.

        In this order, because a newcomer notes its use first and then looks whether an end was
        announced: one of the two always sees the other. Where nothing can be written, as on a full
        disk, llama-server stays.
        """
        path = os.path.join(self._folder, run_dir.UNUSED)
        try:
            run_dir.write_whole(path, {run_dir.REASON: run_dir.IDLE})
            if not self._is_used():
                return True
            self._say("a turn has come as the idle llama-server was to be stopped")
        except OSError as error:
            self._say(f"idle, and kept, since that cannot be announced: {error}")
            self.note_use()
        with suppress(OSError):
            sharing.insist(lambda: os.unlink(path))
        return False


# Of those that are started with --no-slots, or have none.
_REQUESTS = re.compile(rb"^llamacpp:requests_processing (\d+)", re.MULTILINE)
_MARKS = (run_dir.USED, run_dir.OUTCOME)


def _busy_slots(port: int, api_key: str | None) -> int | None:
    """Return how many slots are busy, without waking a model that sleeps; None: it does not say."""
    # Imported now: most keepers never ask, and http.client costs memory.
    from llama_mcp.keeper.stream_copy import LlamaServer

    server = LlamaServer(port, api_key)
    props = _parsed(server.get("/props", ANSWER_SECONDS))
    if not isinstance(props, dict):
        return None
    if props.get("is_sleeping") is True:
        return 0
    slots = _parsed(server.get("/slots", ANSWER_SECONDS))
    if isinstance(slots, list):
        states = [slot for slot in slots if isinstance(slot, dict)]
        # In 2024 a number, 0 for idle.
        return sum(bool(slot.get("is_processing", slot.get("state"))) for slot in states)
    found = _REQUESTS.search(server.get("/metrics", ANSWER_SECONDS))
    return int(found[1]) if found else None


def _parsed(answer: bytes) -> object:
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        return None


def _changed_at(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0
