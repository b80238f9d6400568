"""Telling clients of both eras what has changed.

2026-07-28 clients listen on `subscriptions/listen`, which the SDK serves from its bus. Clients of
the initialize era use `resources/subscribe`, which it does not serve: a middleware answers those
two methods, and says so in `initialize`.

Whoever changes something only notes it here; one task tells the clients, so that a client that has
stopped reading delays nobody. The middleware also sees who wants to hear of what, in both eras:
what costs something to watch (watching.py) is watched only then.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourcesListChanged, ResourceUpdated
from mcp.types import INVALID_PARAMS

MODERN = "2026-07-28"
INDEX_URI = "llama://sessions"


def session_uris(session_id: str) -> tuple[str, str]:
    """Return the resources of one session: as Markdown and as JSON."""
    return f"llama://sessions/{session_id}", f"llama://sessions/{session_id}.json"


class Changes:
    """Notes changes and tells clients; as a middleware it serves the initialize era."""

    def __init__(self) -> None:
        self.bus = InMemorySubscriptionBus()
        # The initialize era has one connection a process: the one that stdio is.
        self._connection: ServerSession | None = None
        self._subscribed: dict[str, ServerSession] = {}
        # In the order in which they were noted; a dict, so that each is told once.
        self._changed_uris: dict[str, None] = {}
        self._has_list_changed = False
        self._noted = anyio.Event()
        # How many listeners of 2026-07-28 each resource has.
        self._listened: Counter[str] = Counter()
        self._listener_came = anyio.Event()
        self._server_touched = anyio.Event()

    async def __call__(
        self, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        """Answer subscribe and unsubscribe; let everything else pass."""
        if ctx.request_id is None:  # a notification asks for nothing
            return await call_next(ctx)
        if ctx.protocol_version == MODERN:
            with self._listening(_listened_uris(ctx)):
                return await call_next(ctx)
        if ctx.method == "resources/subscribe":
            self._subscribed[_uri(ctx)] = ctx.session
            self._listener_came.set()
            return {}
        if ctx.method == "resources/unsubscribe":
            self._subscribed.pop(_uri(ctx), None)
            return {}
        result = await call_next(ctx)
        if ctx.method == "initialize" and isinstance(result, dict):
            self._connection = ctx.session
            result["capabilities"]["resources"] = {"subscribe": True, "listChanged": True}
        return result

    def note_session(self, session_id: str, comes_or_goes: bool) -> None:
        """Note that something in a session changed, or that the session is new or gone."""
        self._has_list_changed |= comes_or_goes
        self.note((*session_uris(session_id), INDEX_URI))

    def note(self, uris: Iterable[str]) -> None:
        """Note that these resources changed."""
        self._changed_uris |= dict.fromkeys(uris)
        self._noted.set()

    def note_server(self) -> None:
        """Note that something was done to llama-server; whoever watches it looks at once."""
        self._server_touched.set()

    def is_heard(self, uris: Iterable[str]) -> bool:
        """Tell whether somebody wants to hear of one of these resources."""
        return any(uri in self._subscribed or self._listened[uri] > 0 for uri in uris)

    async def wait_until_heard(self, uris: Iterable[str]) -> None:
        """Wait until somebody wants to hear of one of these resources."""
        while not self.is_heard(uris):
            self._listener_came = anyio.Event()
            await self._listener_came.wait()

    async def wait_for_server(self, seconds: float) -> None:
        """Wait until something is done to llama-server here, for so many seconds at most."""
        with anyio.move_on_after(seconds):
            await self._server_touched.wait()
        self._server_touched = anyio.Event()

    async def tell(self) -> None:
        """Tell clients of what is noted, until it is cancelled."""
        while True:
            await self._noted.wait()
            self._noted = anyio.Event()
            uris, self._changed_uris = self._changed_uris, {}
            has_list_changed, self._has_list_changed = self._has_list_changed, False
            for uri in uris:
                await self._tell_updated(uri)
            if has_list_changed:
                await self._tell_list_changed()

    @contextmanager
    def _listening(self, uris: list[str]) -> Iterator[None]:
        self._listened.update(uris)
        if uris:
            self._listener_came.set()
        try:
            yield
        finally:
            self._listened.subtract(uris)

    async def _tell_updated(self, uri: str) -> None:
        await self.bus.publish(ResourceUpdated(uri=uri))
        if subscriber := self._subscribed.get(uri):
            await subscriber.send_resource_updated(uri)

    async def _tell_list_changed(self) -> None:
        await self.bus.publish(ResourcesListChanged())
        if self._connection is not None:
            await self._connection.send_resource_list_changed()


def _listened_uris(ctx: ServerRequestContext[Any, Any]) -> list[str]:
    """Return what a request listens to while it lasts; the SDK refuses what has another shape."""
    if ctx.method != "subscriptions/listen":
        return []
    notifications = (ctx.params or {}).get("notifications")
    uris = notifications.get("resourceSubscriptions") if isinstance(notifications, dict) else None
    return [uri for uri in uris if isinstance(uri, str)] if isinstance(uris, list) else []


def _uri(ctx: ServerRequestContext[Any, Any]) -> str:
    uri = (ctx.params or {}).get("uri")
    if not isinstance(uri, str):
        raise MCPError(INVALID_PARAMS, "uri is missing")
    return uri
