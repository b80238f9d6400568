"""Notices which sessions change, come or go, for clients that listen; whatever process does it.

A change of this process is told at once. While somebody listens to sessions, the archive's file
times are read a few times a second, and the archive itself only after they have changed.
"""

import logging
from collections.abc import Callable, Collection, Iterable
from itertools import starmap

import anyio

from llama_mcp.errors import LlamaMCPError
from llama_mcp.services import Services
from llama_mcp.sessions.changes import ChangedSession, SessionMark
from llama_mcp.surface.notifications.subscriptions import LATER_SECONDS, Subscriptions
from llama_mcp.surface.resources.uris import SESSIONS, session_id_of, session_uris

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5


class SessionWatcher:
    """Tells subscribers which sessions changed, came or went."""

    def __init__(
        self,
        subscriptions: Subscriptions,
        services: Callable[[], Services],
        list_told: SessionMark | None = None,
    ) -> None:
        """Watch for whoever listens.

        Args:
            subscriptions: who listens, and who is told.
            services: gives the services.
            list_told: what the client knows from a list of resources that it was told before; it is
                told what has changed since.
        """
        self._subscriptions = subscriptions
        self._services = services
        self._list_told = list_told
        self._is_watching = False
        # What this process has changed and the watch has not told yet, and whose lists.
        self._own_changes: dict[ChangedSession, None] = {}
        self._own_lists: set[str] = set()
        self._own_change_came = anyio.Event()
        # The sessions that somebody listens to, and whose those are that there are.
        self._looked_for: set[str] = set()
        self._owners: dict[str, str] = {}

    def note(self, session_id: str, owner: str, comes_or_goes: bool) -> None:
        """Note a change that this process has made, and whether the session is new or gone."""
        self._own_changes[ChangedSession(session_id, owner)] = None
        self._own_lists |= {owner} if comes_or_goes else set()
        if self._is_watching:
            # The watch reads the archive for it, which has this change too: it is told once.
            self._own_change_came.set()
        else:
            self._tell()

    async def tell_rest(self) -> None:
        """Tell at once what was to be told a little later."""
        self._tell()
        await self._subscriptions.tell_now()

    async def watch(self) -> None:
        """Note changes while somebody listens to sessions, until cancelled."""
        while True:
            while not self._heard():
                await self._subscriptions.wait_for_listener()
                await self._catch_up()
            try:
                await self._watch_while_heard()
            except LlamaMCPError as error:  # there is no home for an archive
                logger.debug("Sessions cannot be watched: %s", error)
                await self._wait()
            finally:
                self._is_watching, self._owners = False, {}

    async def _catch_up(self) -> None:
        """Tell a client of the initialize era, which need not listen for that, of a new list."""
        if self._list_told is not None and self._subscriptions.has_legacy_client:
            await self._wait()  # not beside the client's first call
            told, self._list_told = self._list_told, None
            try:
                await self._tell_since(told)
            except LlamaMCPError as error:
                logger.debug("Sessions cannot be watched: %s", error)

    async def _watch_while_heard(self) -> None:
        archive = self._services().archive
        told, self._list_told = self._list_told, None
        last_change, mark = archive.last_change(), await self._tell_since(told)
        self._is_watching = True
        while self._heard():
            await self._wait()
            now = archive.last_change()
            if now != last_change or self._own_changes or self._ids_heard() != self._looked_for:
                last_change, mark = now, await self._tell_since(mark)

    async def _tell_since(self, mark: SessionMark | None) -> SessionMark | None:
        """Tell what has changed since the mark and return a mark of now."""
        archive = self._services().archive
        try:
            changes = await archive.changes_since(mark)
            self._looked_for = self._ids_heard()
            there_are = await archive.owners_of(self._looked_for)
        except LlamaMCPError as error:
            # A tool that meets the same fault says what is wrong.
            logger.debug("Changes of sessions are not known: %s", error)
            self._tell()
            return mark
        went = self._looked_for - there_are.keys()
        gone = [each for each in self._owners.items() if each[0] in went]
        self._owners = there_are
        self._tell([*changes.changed, *starmap(ChangedSession, gone)], changes.lists_changed)
        return changes.mark

    def _tell(
        self, changed: Iterable[ChangedSession] = (), lists: Collection[str] = frozenset()
    ) -> None:
        """Tell each owner of changed sessions, of their index, and whether the list changed."""
        own, self._own_changes = self._own_changes, {}
        lists, self._own_lists = {*lists, *self._own_lists}, set()
        by_owner: dict[str, dict[str, None]] = {owner: {} for owner in lists}
        for session_id, owner in (*changed, *own):
            by_owner.setdefault(owner, {})[session_id] = None
        for owner, ids in by_owner.items():
            uris = [uri for session_id in ids for uri in session_uris(session_id)]
            self._subscriptions.note(
                [*uris, SESSIONS], owner=owner, has_list_changed=owner in lists
            )

    def _heard(self) -> list[str]:
        """Return the URIs of sessions, and of their list, that somebody listens to."""
        return [uri for uri in self._subscriptions.heard() if uri.startswith(SESSIONS)]

    def _ids_heard(self) -> set[str]:
        return {found for uri in self._heard() if (found := session_id_of(uri))}

    async def _wait(self) -> None:
        with anyio.move_on_after(POLL_SECONDS):
            await self._own_change_came.wait()
            # The archive has a turn to begin first.
            await anyio.sleep(LATER_SECONDS)
        self._own_change_came = anyio.Event()
