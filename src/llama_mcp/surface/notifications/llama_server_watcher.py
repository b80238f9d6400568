"""Notices what happens to llama-servers, for clients that listen; whatever process causes it.

Nothing is watched while nobody listens. What is read is file times, records and processes:
llama-server itself is not asked. State is told at once, figures and log at most once a second and
only when turns were written to the archive, or lines to the log.
"""

import logging
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field

import anyio

from llama_mcp.observing.server_marks import ServerMark, ServerMarks
from llama_mcp.services import Services
from llama_mcp.surface.notifications.subscriptions import Subscriptions
from llama_mcp.surface.resources.uris import (
    FIGURES,
    FIGURES_OF_MODEL,
    LLAMA_SERVER,
    LOG,
    LOG_OF_MODEL,
    template_of,
)

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.2
MIN_INTERVAL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ServerSnapshot:
    """What is seen of llama-server from outside; a part that differs means that it changed."""

    state: Hashable = None
    turns: Hashable = None
    log: Hashable = None

    @classmethod
    def of(cls, mark: ServerMark, turns: Hashable) -> "ServerSnapshot":
        """Return what is seen of one llama-server, or of all, and of the turns of the archive."""
        return cls(mark.state, turns, mark.log)


@dataclass(frozen=True, slots=True)
class Uris:
    """The resources that tell of one llama-server: all of them, and those of one kind."""

    all: tuple[str, ...]
    figures: tuple[str, ...]
    log: tuple[str, ...]


SERVER = Uris(LLAMA_SERVER, FIGURES, (LOG,))


@dataclass(slots=True)
class _Told:
    """What listeners know of one llama-server, and since when."""

    snapshot: ServerSnapshot
    at: float = field(default_factory=anyio.current_time)


class LlamaServerWatcher:
    """Tells subscribers what happens to llama-servers."""

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
            marks = ServerMarks(self._services().engines)
            # By the name of a model; the empty one stands for all of them together.
            told: dict[str, _Told] = {}
            while self._is_heard():
                uris = {"": SERVER, **uris_by_model(self._subscriptions.heard())}
                for model, now in (await self._take_snapshots(marks, uris)).items():
                    self._tell(told.setdefault(model, _Told(now)), now, uris[model])
                await self._wait()

    def _tell(self, told: _Told, now: ServerSnapshot, uris: Uris) -> None:
        is_due = anyio.current_time() - told.at >= MIN_INTERVAL_SECONDS
        if changes := changed(told.snapshot, now, is_due, uris):
            self._subscriptions.note(changes)
            told.snapshot, told.at = now, anyio.current_time()

    def _is_heard(self) -> bool:
        heard = self._subscriptions.heard()
        return not heard.isdisjoint(LLAMA_SERVER) or any(map(template_of, heard))

    async def _take_snapshots(
        self, marks: ServerMarks, models: Collection[str]
    ) -> Mapping[str, ServerSnapshot]:
        try:
            together, each = await marks.look([name for name in models if name])
            turns = self._services().archive.last_change()
        except Exception:
            # A tool that meets the same fault says what is wrong; here it must not end the server.
            logger.debug("Looking at llama-server failed", exc_info=True)
            return dict.fromkeys(models, ServerSnapshot())
        return {name: ServerSnapshot.of(each.get(name, together), turns) for name in models}

    async def _wait(self) -> None:
        with anyio.move_on_after(POLL_SECONDS):
            await self._touched.wait()
        self._touched = anyio.Event()


def changed(
    told: ServerSnapshot, now: ServerSnapshot, is_due: bool, uris: Uris = SERVER
) -> tuple[str, ...]:
    """Return the resources to tell of now; what is not due is told later."""
    if now.state != told.state:
        return uris.all
    if not is_due:
        return ()
    figures = uris.figures if now.turns != told.turns else ()
    return (*figures, *uris.log) if now.log != told.log else figures


def uris_by_model(heard: Collection[str]) -> dict[str, Uris]:
    """Return the URIs that somebody listens to, as they were written, by the names in them."""
    templates: dict[str, dict[str, str]] = {}
    for uri in sorted(heard):
        if (found := template_of(uri)) is not None:
            template, name = found
            templates.setdefault(name, {})[uri] = template
    return {
        name: Uris(
            all=tuple(of_it),
            figures=tuple(uri for uri, one in of_it.items() if one in FIGURES_OF_MODEL),
            log=tuple(uri for uri, one in of_it.items() if one == LOG_OF_MODEL),
        )
        for name, of_it in templates.items()
    }
