"""The application: the SDK's, behind the gate."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.subscriptions import ListenHandler
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from llama_mcp.surface.http.address import Hosts
from llama_mcp.surface.http.audit import Audit
from llama_mcp.surface.http.calls import Calls
from llama_mcp.surface.http.gate import EXCHANGE, Gate, Verify, is_modern
from llama_mcp.surface.mcp_server import LlamaMCPServer

# Less than over stdio: many call at once, and each body is held whole.
MAX_BODY_BYTES = 16 * 1024 * 1024
# Of clients of the initialize era; each takes some 43 KiB.
MAX_SESSIONS = 1000
SESSIONS_OF_ONE_CALLER = 200
SESSION_IDLE_SECONDS = 30 * 60.0


class HttpApp:
    """An ASGI application that serves MCP at /mcp to callers with a token."""

    def __init__(
        self,
        server: LlamaMCPServer,
        verify: Verify,
        hosts: Hosts,
        audit: Audit | None = None,
        routes: Sequence[Route] = (),
    ) -> None:
        """Put it together; nothing is opened before `lifespan`.

        Args:
            server: what is served. It serves HTTP only from now on.
            verify: who has a token.
            hosts: the names by which we may be called.
            audit: where calls are noted.
            routes: further ones, such as a page; they need no token.
        """
        self._server = server
        server.never_ends = True
        own = [
            Route("/health", self._health, methods=["GET"]),
            Route("/ready", self._ready, methods=["GET"]),
            *routes,
        ]
        self._sdk: Starlette = server._lowlevel_server.streamable_http_app(
            max_request_body_size=MAX_BODY_BYTES,
            session_idle_timeout=SESSION_IDLE_SECONDS,
            max_sessions=MAX_SESSIONS,
            # The gate has looked at Host and Origin; a wrong setting here would say 421 again.
            transport_security=None,
            host="",
            custom_starlette_routes=own,
        )

        def is_open(path: str) -> bool:
            return any(route.path_regex.match(path) for route in routes)

        self.gate = Gate(self._as_user, verify, hosts, is_open)
        self._audit = audit or Audit()
        calls = Calls(self._audit, lambda: self.gate.is_draining)
        server.middleware.insert(0, calls)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Own the server's rooms until the context ends."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._audit.write)
            async with self._sdk.router.lifespan_context(self._sdk):
                yield
            tasks.cancel_scope.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self.gate(scope, receive, send)

    def end_listening(self) -> None:
        """Let listeners know that they hear nothing more; their responses end soon."""
        self.gate.end_gets()
        entry = self._server._lowlevel_server.get_request_handler("subscriptions/listen")
        handler = getattr(entry, "handler", None)
        if isinstance(handler, ListenHandler):
            handler.close()

    async def _as_user(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell the SDK who calls: it gives a session to its caller only."""
        if (exchange := scope.get(EXCHANGE)) is not None:
            owner = exchange.caller.owner
            token = AccessToken(token="", client_id=owner, subject=owner, scopes=[])
            scope["user"] = AuthenticatedUser(token)
            if _may_open_session(scope) and self._sessions_of(owner) >= SESSIONS_OF_ONE_CALLER:
                await _TOO_MANY_SESSIONS(scope, receive, send)
                return
        await self._sdk(scope, receive, send)

    def _sessions_of(self, owner: str) -> int:
        manager = self._server._lowlevel_server.session_manager
        return sum(each["subject"] == owner for each in manager._session_owners.values())

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _ready(self, _: Request) -> Response:
        if self.gate.is_draining:
            return JSONResponse({"status": "ending"}, status_code=503)
        return JSONResponse({"status": "ready"})


_TOO_MANY_SESSIONS = JSONResponse(
    {"error": f"{SESSIONS_OF_ONE_CALLER} sessions of this token are open; end some"},
    status_code=429,
    headers={"retry-after": "60"},
)


def _may_open_session(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return "mcp-session-id" not in headers and not is_modern(headers)
