"""What stands before the SDK: names, tokens, time limits, and the end.

An ASGI application around another. What it refuses is answered without a body being read; who has
no token learns only that one is needed. A request that it lets in has an `Exchange` in its scope.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import anyio
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llama_mcp.callers import Caller
from llama_mcp.surface.calling import Exchange
from llama_mcp.surface.http.address import Hosts

EXCHANGE: Final = "llama_mcp.exchange"
MCP_PATH: Final = "/mcp"
# Asked by whoever watches over processes, by any name and without a token; they tell one word.
_WATCHED_PATHS: Final = ("/health", "/ready")
# How long the next piece of a body may take.
BODY_SECONDS = 20.0
# Of one caller at once, listeners included, so that nobody takes all connections.
MOST_OF_ONE_CALLER = 200
# Named in answers while we end: by then a service manager has started us again.
BACK_SECONDS = 15
_BEARER = "bearer "
# A 2026-07-28 request names its method in a header (MCP 2026-07-28, transports).
_LISTEN = "subscriptions/listen"
_METHOD_HEADER = "mcp-method"
_VERSION_HEADER = "mcp-protocol-version"

# Who has a token, and by what it is known.
Verify = Callable[[str], tuple[Caller, bytes] | None]


class Gate:
    """Lets requests in, knows them while they last, and closes."""

    def __init__(
        self,
        app: ASGIApp,
        verify: Verify,
        hosts: Hosts,
        is_open: Callable[[str], bool] = lambda _path: False,
    ) -> None:
        """Take what is guarded.

        Args:
            app: answers what is let in.
            verify: who has a token.
            hosts: the names by which we may be called.
            is_open: whether a path needs no token. Beside those and MCP's there is nothing.
        """
        self._app = app
        self._verify = verify
        self._hosts = hosts
        self._is_open = is_open
        self._exchanges: dict[Exchange, anyio.CancelScope] = {}
        self._of_owners: Counter[str] = Counter()
        self.is_draining = False
        """Whether nothing new is taken any more."""

    @property
    def underway(self) -> int:
        """How many requests are being answered that end by themselves."""
        return sum(not exchange.is_stream for exchange in self._exchanges)

    @property
    def streams(self) -> int:
        """How many responses are open on which changes are told."""
        return len(self._exchanges) - self.underway

    def end_tokens(self, digests: frozenset[bytes]) -> None:
        """End everything that was asked with these tokens."""
        for exchange, scope in list(self._exchanges.items()):
            if exchange.digest in digests:
                exchange.is_ended = True
                exchange.end()
                scope.cancel()

    def end_gets(self) -> None:
        """End the streams of the initialize era, which have no end of their own."""
        for exchange, scope in list(self._exchanges.items()):
            if exchange.is_get:
                scope.cancel()

    def end_all(self) -> None:
        """End every request."""
        for exchange, scope in list(self._exchanges.items()):
            exchange.end()
            scope.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have it answered."""
        if scope["type"] != "http":
            return
        headers, path = Headers(scope=scope), scope["path"]
        if path in _WATCHED_PATHS:
            await self._app(scope, receive, send)
        elif (refusal := self._misled(headers)) is not None:
            await _answer(send, refusal)
        elif self._is_open(path):
            await self._app(scope, receive, send)
        elif path != MCP_PATH:
            await _answer(send, _NOTHING_HERE)
        elif (known := self._known(headers)) is None:
            await _answer(send, _NO_TOKEN)
        elif self.is_draining and not _ends_something(scope, headers):
            await _answer(send, _NOTHING_NEW)
        elif self._of_owners[known[0].owner] >= MOST_OF_ONE_CALLER:
            await _answer(send, _TOO_MANY)
        else:
            await self._let_in(scope, receive, send, _exchange(scope, *known))

    def _misled(self, headers: Headers) -> "_Refusal | None":
        """Return the refusal of what was led here by a page of somebody else."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._hosts.allow_host(hosts[0]):
            return _OTHER_HOST
        origins = headers.getlist("origin")
        if not all(self._hosts.allow_origin(origin, hosts[0]) for origin in origins):
            return _OTHER_ORIGIN
        return None

    def _known(self, headers: Headers) -> tuple[Caller, bytes] | None:
        given = headers.getlist("authorization")
        if len(given) != 1 or not given[0].lower().startswith(_BEARER):
            return None
        return self._verify(given[0][len(_BEARER) :].strip())

    async def _let_in(self, scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
        """Have a request answered; one that is ended gets the end of its response."""
        scope[EXCHANGE] = exchange
        response = _Response(send)
        with anyio.CancelScope() as answering:
            listening = _Listening(scope, receive, exchange, answering)
            self._exchanges[exchange] = answering
            self._of_owners[exchange.caller.owner] += 1
            try:
                await self._app(scope, listening, response)
            finally:
                del self._exchanges[exchange]
                self._of_owners -= Counter([exchange.caller.owner])
        if answering.cancelled_caught:
            with anyio.CancelScope(shield=True):
                await response.finish(_why_ended(exchange, listening))


class _Listening:
    """What the application receives: a body in time, and the client's going only if that counts."""

    def __init__(
        self, scope: Scope, receive: Receive, exchange: Exchange, answering: anyio.CancelScope
    ) -> None:
        self._receive = receive
        self._exchange = exchange
        self._answering = answering
        self.is_too_slow = False
        """Whether the body did not come in time."""
        self._is_body_whole = False
        # The SDK takes the end of the connection for a cancel (mcp 2.3, _streamable_http_modern);
        # a turn must not depend on the network. A listener has nothing else to end it.
        self._hears_of_end = exchange.is_stream or not is_modern(Headers(scope=scope))

    async def __call__(self) -> Message:
        if not self._is_body_whole:
            message = await self._in_time()
            is_piece = message["type"] == "http.request"
            self._is_body_whole = is_piece and not message.get("more_body", False)
        else:
            message = await self._receive()
        if message["type"] == "http.disconnect":
            self._exchange.has_client_gone = True
            if not self._is_body_whole:
                # Nobody waits for an answer. Starlette would make an error of it.
                self._answering.cancel()
            if not self._hears_of_end or not self._is_body_whole:
                await anyio.sleep_forever()
        return message

    async def _in_time(self) -> Message:
        with anyio.move_on_after(BODY_SECONDS):
            return await self._receive()
        # No exception: Starlette would make a 500 of it.
        self.is_too_slow = True
        self._answering.cancel()
        await anyio.sleep_forever()
        return {"type": "http.disconnect"}


class _Response:
    """Knows how far a response is."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._has_begun = False
        self._is_whole = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._has_begun = True
        elif message["type"] == "http.response.body":
            self._is_whole = not message.get("more_body", False)
        await self._send(message)

    async def finish(self, refusal: "_Refusal") -> None:
        """Bring the response to an end; one that has not begun becomes a refusal."""
        if not self._has_begun:
            await _answer(self, refusal)
        elif not self._is_whole:
            await self({"type": "http.response.body", "body": b"", "more_body": False})


@dataclass(frozen=True, slots=True)
class _Refusal:
    """What is answered instead of an answer."""

    status: int
    told: str
    headers: Mapping[str, str] = field(default_factory=dict)


_NO_TOKEN = _Refusal(401, "a token is needed", {"www-authenticate": "Bearer"})
_NOTHING_NEW = _Refusal(
    503,
    f"llama-mcp ends, and takes nothing new; try again in {BACK_SECONDS} seconds",
    {"retry-after": str(BACK_SECONDS)},
)
_TOO_MANY = _Refusal(
    429,
    f"{MOST_OF_ONE_CALLER} requests of this token are being answered; end some, or wait for them",
    {"retry-after": "1"},
)
_TOO_SLOW = _Refusal(408, "the body did not come in time", {"connection": "close"})
_NOTHING_HERE = _Refusal(404, "there is nothing here")
_OTHER_HOST = _Refusal(421, "this Host is not served here; the operator lists names with --hosts")
_OTHER_ORIGIN = _Refusal(
    403, "pages of this Origin may not call; the operator lists names with --hosts"
)


def _why_ended(exchange: Exchange, listening: _Listening) -> _Refusal:
    if listening.is_too_slow:
        return _TOO_SLOW
    return _NO_TOKEN if exchange.is_ended else _NOTHING_NEW


def is_modern(headers: Headers) -> bool:
    """Tell whether the SDK takes a request for one of 2026-07-28 (mcp 2.3: by its version)."""
    version = headers.get(_VERSION_HEADER)
    return version is not None and version not in HANDSHAKE_PROTOCOL_VERSIONS


def _exchange(scope: Scope, caller: Caller, digest: bytes) -> Exchange:
    is_get = scope["method"] == "GET"
    is_stream = is_get or Headers(scope=scope).get(_METHOD_HEADER) == _LISTEN
    return Exchange(caller, digest, is_stream=is_stream, is_get=is_get)


def _ends_something(scope: Scope, headers: Headers) -> bool:
    """Tell of a request whether it may only end what is under way: a cancel, or a session's end.

    A notification of the initialize era cannot be told from a request by its headers; both come in,
    and the SDK's middleware refuses requests (surface/http/calls.py).
    """
    return scope["method"] == "DELETE" or "mcp-session-id" in headers


async def _answer(send: Send, refusal: _Refusal) -> None:
    body = json.dumps({"error": refusal.told}).encode()
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "cache-control": "no-store",
        **refusal.headers,
    }
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
