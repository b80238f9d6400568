"""Which client listens to which resource, and telling it of changes, in both eras.

2026-07-28 clients listen on `subscriptions/listen`, which the SDK serves from its bus. Clients of
the initialize era use `resources/subscribe`, which the SDK does not serve: this middleware answers
those two methods, and says so in `initialize`.

Changes are only noted here; one task tells the clients, so that a client that has stopped reading
delays nobody who changes something. A new list is told before the answer to the call that made it,
and nothing once the client has left: the Python SDK's client fails at what comes while it closes.
What costs something to watch (session_watcher.py, llama_server_watcher.py) is watched only while
somebody listens.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import anyio
from mcp.server.connection import Connection
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourcesListChanged, ResourceUpdated
from mcp.types import INVALID_PARAMS

from llama_mcp.surface.resources.uris import SESSIONS

MODERN = "2026-07-28"
# A turn begins with a change, and its first text goes first. What changes meanwhile is told once.
LATER_SECONDS = 0.05
# What sending to a client that has gone raises.
GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError)


@dataclass(slots=True)
class _LegacyClient:
    """One connection of the initialize era."""

    # The SDK makes a session for each request; all of one connection speak on the same channel.
    session: ServerSession
    uris: set[str] = field(default_factory=set)


class Subscriptions:
    """Notes changes and tells clients; as a middleware it serves the initialize era."""

    def __init__(self) -> None:
        self.bus = InMemorySubscriptionBus()
        self._legacy: dict[Connection, _LegacyClient] = {}
        # How many listeners of 2026-07-28 each resource has.
        self._listened: Counter[str] = Counter()
        self._listener_came = anyio.Event()
        # In the order in which they were noted; a dict, so that each is told once.
        self._changed_uris: dict[str, None] = {}
        self._has_list_changed = False
        self._noted = anyio.Event()
        self._is_over = False

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
            self._client(ctx).uris.add(_uri(ctx))
            self._wake_watchers()
            return {}
        if ctx.method == "resources/unsubscribe":
            self._client(ctx).uris.discard(_uri(ctx))
            return {}
        result = await call_next(ctx)
        if self._has_list_changed:
            await self.tell_now()
        if ctx.method == "initialize" and isinstance(result, dict):
            self._client(ctx)
            result["capabilities"]["resources"] = {"subscribe": True, "listChanged": True}
        return result

    def note(self, uris: Iterable[str], *, has_list_changed: bool = False) -> None:
        """Note that these resources changed, and whether the list of resources did."""
        self._changed_uris |= dict.fromkeys(uris)
        self._has_list_changed |= has_list_changed
        self._noted.set()

    def heard(self) -> set[str]:
        """Return the URIs that somebody listens to."""
        legacy = [client.uris for client in self._legacy.values()]
        return set().union(*legacy, (uri for uri, count in self._listened.items() if count > 0))

    @property
    def has_legacy_client(self) -> bool:
        """Whether a client of the initialize era is there, which hears of lists unasked."""
        return bool(self._legacy)

    async def wait_for_listener(self) -> None:
        """Wait until somebody begins to listen to something, or an initialize-era client comes."""
        await self._listener_came.wait()

    async def tell(self) -> None:
        """Tell clients a little later of what is noted, until it is cancelled."""
        while True:
            await self._noted.wait()
            await anyio.sleep(LATER_SECONDS)
            await self.tell_now()

    async def tell_now(self) -> None:
        """Tell clients of what is noted and was not told yet."""
        if self._is_over:
            return
        self._noted = anyio.Event()
        uris, self._changed_uris = self._changed_uris, {}
        has_list_changed, self._has_list_changed = self._has_list_changed, False
        for uri in uris:
            await self._tell_updated(uri)
        if has_list_changed:
            await self._tell_list_changed()

    def end(self) -> None:
        """Tell nothing more: the end of the process has begun."""
        self._is_over = True

    def _client(self, ctx: ServerRequestContext[Any, Any]) -> _LegacyClient:
        # Nothing public tells connections apart, or when one ends.
        connection = ctx.session._connection
        if connection not in self._legacy:
            self._legacy[connection] = _LegacyClient(ctx.session)
            connection.exit_stack.callback(self._legacy.pop, connection, None)
            self._wake_watchers()
        return self._legacy[connection]

    def _wake_watchers(self) -> None:
        came, self._listener_came = self._listener_came, anyio.Event()
        came.set()

    @contextmanager
    def _listening(self, uris: list[str]) -> Iterator[None]:
        self._listened.update(uris)
        if uris:
            self._wake_watchers()
        try:
            yield
        finally:
            self._listened.subtract(uris)

    async def _tell_updated(self, uri: str) -> None:
        await self.bus.publish(ResourceUpdated(uri=uri))
        for client in list(self._legacy.values()):
            if uri in client.uris:
                with suppress(*GONE):
                    await client.session.send_resource_updated(uri)

    async def _tell_list_changed(self) -> None:
        await self.bus.publish(ResourcesListChanged())
        for client in list(self._legacy.values()):
            with suppress(*GONE):
                await client.session.send_resource_list_changed()


def _listened_uris(ctx: ServerRequestContext[Any, Any]) -> list[str]:
    """Return what a request listens to while it lasts; the SDK refuses what has another shape."""
    if ctx.method != "subscriptions/listen":
        return []
    notifications = (ctx.params or {}).get("notifications")
    if not isinstance(notifications, dict):
        return []
    uris = notifications.get("resourceSubscriptions")
    listened = [uri for uri in uris if isinstance(uri, str)] if isinstance(uris, list) else []
    # The list of resources changes when sessions come or go.
    return [*listened, SESSIONS] if notifications.get("resourcesListChanged") else listened


def _uri(ctx: ServerRequestContext[Any, Any]) -> str:
    uri = (ctx.params or {}).get("uri")
    if not isinstance(uri, str):
        raise MCPError(INVALID_PARAMS, "uri is missing")
    return uri
