"""Notices what happens to llama-server, for clients that want to hear of it.

Nothing is watched while nobody listens. What is looked at is files and a process: llama-server
itself is not asked. So changes are noticed whoever makes them: another llama-mcp, a crash, the end
of loading. State is told at once, figures and log at most once a second and only when turns were
written to the archive, or lines to the log.
"""

import logging
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path

import anyio

from llama_mcp.services import Services
from llama_mcp.surface.notifications.subscriptions import Changes
from llama_mcp.surface.resources.llama_server import CONFIG, LOG, METRICS, PROMETHEUS, SLOTS, STATUS

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.2
MIN_INTERVAL_SECONDS = 1.0
FIGURES = (METRICS, PROMETHEUS, SLOTS)
ALL = (STATUS, CONFIG, *FIGURES, LOG)


@dataclass(frozen=True, slots=True)
class Signs:
    """What can be seen from outside; any change of a part means that something happened."""

    state: Hashable = None
    turns: Hashable = None
    log: Hashable = None


async def watch_server(changes: Changes, services: Callable[[], Services]) -> None:
    """Note changes of llama-server while somebody wants to hear of them, until cancelled."""
    while True:
        await changes.wait_until_heard(ALL)
        told = await _look(services())
        told_at = anyio.current_time()
        while changes.is_heard(ALL):
            await changes.wait_for_server(POLL_SECONDS)
            seen = await _look(services())
            is_due = anyio.current_time() - told_at >= MIN_INTERVAL_SECONDS
            if uris := changed(told, seen, is_due):
                changes.note(uris)
                told, told_at = seen, anyio.current_time()


def changed(told: Signs, seen: Signs, is_due: bool) -> tuple[str, ...]:
    """Return the resources to tell of now; what is not due is told later."""
    if seen.state != told.state:
        return ALL
    if not is_due:
        return ()
    figures = FIGURES if seen.turns != told.turns else ()
    return (*figures, LOG) if seen.log != told.log else figures


async def _look(services: Services) -> Signs:
    try:
        seen = await services.supervisor.observe()
        turns = services.archive.last_change()
        if seen is None:
            return Signs(turns=turns)
        run = seen.run
        return Signs((run.folder, seen.state, seen.pid), turns, _last_change(run.log_path))
    except Exception:
        # Whatever is wrong is told of when a tool meets it; watching must end neither here nor the
        # server with it.
        logger.debug("Looking at llama-server failed", exc_info=True)
        return Signs()


def _last_change(path: Path) -> Hashable:
    """Return what changes when a file is written to; None when there is none."""
    try:
        about = path.stat()
    except FileNotFoundError:
        return None
    return about.st_mtime_ns, about.st_size
