"""The folders in which a client works: its roots where it tells them, else our working folder.

Roots are of the initialize era (MCP 2024-11-05 to 2025-11-25, client/roots); a client of 2026-07-28
tells none. They are asked for when they are first needed, and again after the client has said that
they changed. A client that does not answer is no error: it has told nothing.

Over HTTP they name folders of the client's machine, and our working folder is nobody's there: then
it has none.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from mcp.server.connection import Connection
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.session import ServerSession
from mcp.shared.exceptions import MCPError
from mcp.types import ListRootsRequest, ListRootsResult
from pydantic import ValidationError

from llama_mcp.callers import LOCAL
from llama_mcp.setting_values import as_folder
from llama_mcp.surface.calling import current_caller

logger = logging.getLogger(__name__)

MODERN = "2026-07-28"
# A client that is busy answers later than that only if it never does.
ROOTS_SECONDS = 10.0


# The SDK tells a completion nothing of its request.
_is_over_http: ContextVar[bool] = ContextVar("is_over_http", default=False)


@dataclass
class _Client:
    """What one connection has told."""

    roots: tuple[Path, ...] | None = None
    """None: not asked, or changed since."""
    changes: int = 0
    asking: anyio.Lock = field(default_factory=anyio.Lock)


class ClientFolders:
    """Knows each client's folders; as a middleware it hears that they changed."""

    def __init__(self) -> None:
        self._clients: dict[Connection, _Client] = {}

    async def __call__(
        self, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        """Note a change of roots, and how the request has come; let everything pass."""
        _is_over_http.set(ctx.request is not None)
        if ctx.method == "notifications/roots/list_changed":
            client = self._client(ctx.session)
            client.roots, client.changes = None, client.changes + 1
        return await call_next(ctx)

    async def of(self, session: ServerSession) -> tuple[Path, ...]:
        """Return the folders of the client behind a session: its roots, else our working folder.

        Waits for the client at most ROOTS_SECONDS. Empty when the working folder is gone, and for
        whoever is not at this machine.
        """
        if _is_over_http.get() or current_caller() is not LOCAL:
            return ()
        client = self._client(session)
        async with client.asking:
            while client.roots is None:
                changes = client.changes
                roots = await _roots(session)
                if changes == client.changes:
                    client.roots = roots
        return client.roots or _working_folder()

    def _client(self, session: ServerSession) -> _Client:
        # Nothing public tells connections apart, or when one ends.
        connection = session._connection
        if connection not in self._clients:
            self._clients[connection] = _Client()
            connection.exit_stack.callback(self._clients.pop, connection, None)
        return self._clients[connection]


async def _roots(session: ServerSession) -> tuple[Path, ...]:
    capabilities = session.client_capabilities
    if session.protocol_version == MODERN or capabilities is None or capabilities.roots is None:
        return ()
    with anyio.move_on_after(ROOTS_SECONDS):
        try:
            told = await session.send_request(ListRootsRequest(), ListRootsResult)
        except (MCPError, ValidationError) as error:
            logger.info("The client did not tell its roots: %s", type(error).__name__)
        else:
            return _folders([str(root.uri) for root in told.roots])
    return ()


def _folders(uris: Sequence[str]) -> tuple[Path, ...]:
    folders = []
    for uri in uris:
        if uri.lower().startswith("file:"):
            with suppress(ValueError):  # a file of another machine, a control character
                folders.append(as_folder(uri))
    return tuple(dict.fromkeys(folders))


def _working_folder() -> tuple[Path, ...]:
    try:
        return (Path.cwd(),)
    except OSError:
        return ()
