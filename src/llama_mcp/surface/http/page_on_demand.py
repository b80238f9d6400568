"""The page in the browser of somebody whose client, over stdio, cannot show it: made when wanted.

It is served by this process, so that it sees its queue, and ends with it.
"""

import logging
import webbrowser
from contextlib import ExitStack
from typing import Any

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup, TaskStatus

from llama_mcp.services import Services
from llama_mcp.settings import Settings
from llama_mcp.surface.http.address import Address, Hosts, listening_at
from llama_mcp.surface.http.app import HttpApp
from llama_mcp.surface.http.page import OneKey, address_of, door_to, page_route
from llama_mcp.surface.http.serving import listener_for, serve_until_cancelled
from llama_mcp.surface.server import build_server

logger = logging.getLogger(__name__)


class PageOnDemand:
    """Serves the page from the first time that somebody wants it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._url: str | None = None
        self._door: str | None = None
        self._lock = anyio.Lock()

    async def show(self, tasks: TaskGroup, services: Services) -> str | None:
        """Show the page in a browser; return its address, without the key, or None without one.

        Args:
            tasks: in which it is served until they are cancelled.
            services: what it shows.
        """
        async with self._lock:
            if self._door is None:
                self._url = await tasks.start(self._serve, services)
        assert self._door is not None
        has_opened = await anyio.to_thread.run_sync(_open, self._door, abandon_on_cancel=True)
        return self._url if has_opened else None

    async def _serve(self, services: Services, *, task_status: TaskStatus[str]) -> None:
        address, key = Address("127.0.0.1", 0), OneKey()
        with ExitStack() as stack:
            bound = stack.enter_context(listening_at(address))
            url = f"http://{address.with_port(bound.getsockname()[1])}"
            leads_to = door_to(address_of(url, key), self._settings.state_dir)
            self._door = stack.enter_context(leads_to)
            stack.callback(self._forget)
            server = build_server(self._settings, shared=services)
            app = HttpApp(server, key.caller_of, Hosts(address), routes=[page_route()])
            async with app.lifespan():
                task_status.started(f"{url}/")
                await serve_until_cancelled(listener_for(app), bound)

    def _forget(self) -> None:
        self._door = None


def _open(address: str) -> Any:
    try:
        return webbrowser.open(address)
    except (OSError, webbrowser.Error) as error:
        logger.warning("No browser opens: %s", error)
        return False
