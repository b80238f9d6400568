"""Notices what happens to llama-server, for clients that listen; whatever process causes it.

Nothing is watched while nobody listens. What is read is file times, records and a process:
llama-server itself is not asked. State is told at once, figures and log at most once a second and
only when turns were written to the archive, or lines to the log.
"""

import logging
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path

import anyio

from llama_mcp.services import Services
from llama_mcp.surface.notifications.subscriptions import Subscriptions
from llama_mcp.surface.resources.uris import FIGURES, LLAMA_SERVER, LOG

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.2
MIN_INTERVAL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ServerSnapshot:
    """What is seen of llama-server from outside; a part that differs means that it changed."""

    state: Hashable = None
    turns: Hashable = None
    log: Hashable = None


class LlamaServerWatcher:
    """Tells subscribers what happens to llama-server."""

    def __init__(self, subscriptions: Subscriptions, services: Callable[[], Services]) -> None:
        self._subscriptions = subscriptions
        self._services = services
        self._touched = anyio.Event()

    def touch(self) -> None:
        """Look at once: this process has done something to llama-server."""
        self._touched.set()

    async def watch(self) -> None:
        """Note changes while somebody listens, until cancelled."""
        while True:
            while not self._is_heard():
                await self._subscriptions.wait_for_listener()
            told = await _take_snapshot(self._services())
            told_at = anyio.current_time()
            while self._is_heard():
                await self._wait()
                now = await _take_snapshot(self._services())
                is_due = anyio.current_time() - told_at >= MIN_INTERVAL_SECONDS
                if uris := changed(told, now, is_due):
                    self._subscriptions.note(uris)
                    told, told_at = now, anyio.current_time()

    def _is_heard(self) -> bool:
        return not self._subscriptions.heard().isdisjoint(LLAMA_SERVER)

    async def _wait(self) -> None:
        with anyio.move_on_after(POLL_SECONDS):
            await self._touched.wait()
        self._touched = anyio.Event()


def changed(told: ServerSnapshot, now: ServerSnapshot, is_due: bool) -> tuple[str, ...]:
    """Return the resources to tell of now; what is not due is told later."""
    if now.state != told.state:
        return LLAMA_SERVER
    if not is_due:
        return ()
    figures = FIGURES if now.turns != told.turns else ()
    return (*figures, LOG) if now.log != told.log else figures


async def _take_snapshot(services: Services) -> ServerSnapshot:
    try:
        seen = await services.supervisor.observe()
        turns = services.archive.last_change()
        if seen is None:
            return ServerSnapshot(turns=turns)
        run = seen.run
        state = (run.folder, seen.state, seen.pid)
        return ServerSnapshot(state, turns, _last_change(run.log_path))
    except Exception:
        # A tool that meets the same fault says what is wrong; here it must not end the server.
        logger.debug("Looking at llama-server failed", exc_info=True)
        return ServerSnapshot()


def _last_change(path: Path) -> Hashable:
    """Return a value that changes when the file is written to; None when there is none."""
    try:
        about = path.stat()
    except FileNotFoundError:
        return None
    return about.st_mtime_ns, about.st_size
