"""Which client listens to which resource, and telling it of changes, in both eras.

2026-07-28 clients listen on `subscriptions/listen`, which the SDK serves from the bus. Clients of
the initialize era use `resources/subscribe`, which the SDK does not serve: this middleware answers
those two methods, and says so in `initialize`.

What is somebody's, only that owner's clients are told; what needs a scope, only those who have it.
A subscription to another's session is one to a session that never was: nothing comes.

Changes are only noted here; tasks tell the clients, each for itself, so that a client that has
stopped reading delays nobody. A new list is told before the answer to the call that made it, and
nothing once the client has left: the Python SDK's client fails at what comes while it closes. What
costs something to watch (session_watcher.py, llama_server_watcher.py) is watched only while
somebody listens.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
from mcp.server.connection import Connection
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.session import ServerSession
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourcesListChanged, ResourceUpdated
from mcp.types import INVALID_PARAMS

from llama_mcp.callers import Caller
from llama_mcp.errors import ScopeNeededError
from llama_mcp.surface.calling import current_caller
from llama_mcp.surface.notifications.owners_bus import OwnersBus
from llama_mcp.surface.resources.uris import SESSIONS
from llama_mcp.surface.scopes import check, scope_of_uri

MODERN = "2026-07-28"
# A turn begins with a change, and its first text goes first. What changes meanwhile is told once.
LATER_SECONDS = 0.05
# Of one listener. Watchers look at each a few times a second: a million would stand still for all.
MOST_URIS = 200
# What sending to a client that has gone raises.
GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError)


@dataclass(eq=False, slots=True)
class _LegacyClient:
    """One connection of the initialize era."""

    # The SDK makes a session for each request; all of one connection speak on the same channel.
    session: ServerSession
    caller: Caller
    uris: set[str] = field(default_factory=set)
    # In the order in which they changed; no more than it listens to, however slowly it reads.
    untold: dict[str, None] = field(default_factory=dict)
    has_untold_list: bool = False
    telling: anyio.Lock = field(default_factory=anyio.Lock)

    @property
    def has_news(self) -> bool:
        """Whether there is something that it was not told yet."""
        return bool(self.untold) or self.has_untold_list

    def take(self, news: "_News") -> None:
        """Keep what it is to be told."""
        for uri, owner in news.changed:
            if uri in self.uris and owner in (None, self.caller.owner):
                self.untold[uri] = None
        self.has_untold_list |= self.caller.owner in news.lists or None in news.lists

    async def tell(self) -> None:
        """Tell it what it was not told yet; raises one of GONE when it has gone."""
        async with self.telling:
            while self.has_news:
                if self.untold:
                    uri = next(iter(self.untold))
                    del self.untold[uri]
                    await self.session.send_resource_updated(uri)
                else:
                    self.has_untold_list = False
                    await self.session.send_resource_list_changed()


@dataclass(slots=True)
class _News:
    """What has changed since clients were told; whose it is, or None for what is nobody's."""

    # In the order in which they were noted; a dict, so that each is told once.
    changed: dict[tuple[str, str | None], None] = field(default_factory=dict)
    lists: dict[str | None, None] = field(default_factory=dict)


class Subscriptions:
    """Notes changes and tells clients; as a middleware it serves the initialize era."""

    def __init__(self) -> None:
        self.bus = OwnersBus()
        self._legacy: dict[Connection, _LegacyClient] = {}
        # How many listeners of 2026-07-28 each resource has.
        self._listened: Counter[str] = Counter()
        self._listener_came = anyio.Event()
        self._news = _News()
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
            client, uri = self._client(ctx), _uri(ctx)
            _check_count(len(client.uris | {uri}))
            client.uris.add(uri)
            self._wake_watchers()
            return {}
        if ctx.method == "resources/unsubscribe":
            self._client(ctx).uris.discard(_uri(ctx))
            return {}
        result = await call_next(ctx)
        if self._news.lists and not self._is_over:
            await self._tell_before_the_answer(ctx)
        if ctx.method == "initialize" and isinstance(result, dict):
            self._client(ctx)
            result["capabilities"]["resources"] = {"subscribe": True, "listChanged": True}
        return result

    def note(
        self, uris: Iterable[str], *, owner: str | None = None, has_list_changed: bool = False
    ) -> None:
        """Note that resources changed.

        Args:
            uris: them.
            owner: whose they are; None for what is nobody's.
            has_list_changed: the owner's list of resources is another one.
        """
        self._news.changed |= dict.fromkeys((uri, owner) for uri in uris)
        if has_list_changed:
            self._news.lists[owner] = None
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
        async with anyio.create_task_group() as tasks:
            while True:
                await self._noted.wait()
                await anyio.sleep(LATER_SECONDS)
                self._noted = anyio.Event()
                await self._hand_out()
                for connection, client in list(self._legacy.items()):
                    # Who is being told is told this as well.
                    if client.has_news and not client.telling.locked():
                        tasks.start_soon(self._tell_one, connection, client)

    async def tell_now(self) -> None:
        """Tell clients of what is noted and was not told yet, and wait until they are told."""
        await self._hand_out()
        async with anyio.create_task_group() as tasks:
            for connection, client in list(self._legacy.items()):
                tasks.start_soon(self._tell_one, connection, client)

    def end(self) -> None:
        """Tell nothing more: the end of the process has begun."""
        self._is_over = True

    async def _tell_before_the_answer(self, ctx: ServerRequestContext[Any, Any]) -> None:
        """Tell the client that has made a call; the others are told a little later."""
        await self._hand_out()
        client = self._legacy.get(ctx.session._connection)
        if client is not None and client.has_untold_list:
            await self._tell_one(ctx.session._connection, client)

    async def _hand_out(self) -> None:
        """Publish what is noted to listeners of 2026-07-28; keep it for each other client."""
        if self._is_over:
            return
        news, self._news = self._news, _News()
        for client in self._legacy.values():
            client.take(news)
        for uri, owner in news.changed:
            await self.bus.publish(ResourceUpdated(uri=uri), owner)
        for owner in news.lists:
            await self.bus.publish(ResourcesListChanged(), owner)

    async def _tell_one(self, connection: Connection, client: _LegacyClient) -> None:
        try:
            await client.tell()
        except GONE:
            self._legacy.pop(connection, None)

    def _client(self, ctx: ServerRequestContext[Any, Any]) -> _LegacyClient:
        # Nothing public tells connections apart, or when one ends.
        connection = ctx.session._connection
        if connection not in self._legacy:
            self._legacy[connection] = _LegacyClient(ctx.session, current_caller())
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
            # What nobody listens to any more is forgotten, not counted as 0.
            self._listened -= Counter(uris)


def _listened_uris(ctx: ServerRequestContext[Any, Any]) -> list[str]:
    """Return what a request listens to while it lasts; the SDK refuses what has another shape."""
    if ctx.method != "subscriptions/listen":
        return []
    notifications = (ctx.params or {}).get("notifications")
    if not isinstance(notifications, dict):
        return []
    uris = notifications.get("resourceSubscriptions")
    named = [uri for uri in uris if isinstance(uri, str)] if isinstance(uris, list) else []
    _check_count(len(named))
    listened = [uri for uri in named if current_caller().may(scope_of_uri(uri))]
    # The list of resources changes when sessions come or go.
    return [*listened, SESSIONS] if notifications.get("resourcesListChanged") else listened


def _check_count(uris: int) -> None:
    if uris > MOST_URIS:
        raise MCPError(
            INVALID_PARAMS, f"{uris} resources are too many to listen to; take at most {MOST_URIS}"
        )


def _uri(ctx: ServerRequestContext[Any, Any]) -> str:
    uri = (ctx.params or {}).get("uri")
    if not isinstance(uri, str):
        raise MCPError(INVALID_PARAMS, "uri is missing")
    try:
        check(current_caller(), scope_of_uri(uri), uri)
    except ScopeNeededError as error:
        raise MCPError(INVALID_PARAMS, str(error)) from None
    return uri
