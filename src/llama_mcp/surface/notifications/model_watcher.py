"""Notices which models come and go, for clients that listen to their list; whoever causes it.

A download, a person or another program: what is looked at are folders and the sizes of files. Which
model runs is llama_server_watcher.py's.
"""

import logging
from collections.abc import Callable, Hashable

import anyio

from llama_mcp.errors import LlamaMCPError
from llama_mcp.services import Services
from llama_mcp.surface.notifications.subscriptions import Subscriptions
from llama_mcp.surface.resources.uris import MODELS

logger = logging.getLogger(__name__)

# A look at 200 models takes 65 ms of processor time.
POLL_SECONDS = 5.0


class ModelWatcher:
    """Tells subscribers that the list of models is another one."""

    def __init__(self, subscriptions: Subscriptions, services: Callable[[], Services]) -> None:
        self._subscriptions = subscriptions
        self._services = services

    async def watch(self) -> None:
        """Note changes while somebody listens, until cancelled."""
        while True:
            while not self._is_heard():
                await self._subscriptions.wait_for_listener()
            told = await self._mark()
            while self._is_heard():
                await anyio.sleep(POLL_SECONDS)
                now = await self._mark()
                if now != told:
                    self._subscriptions.note((MODELS,))
                    told = now

    def _is_heard(self) -> bool:
        return MODELS in self._subscriptions.heard()

    async def _mark(self) -> Hashable:
        try:
            return await self._services().known_models.mark()
        except (LlamaMCPError, OSError):
            # A tool that meets the same fault says what is wrong; here it must not end the server.
            logger.debug("Looking at models failed", exc_info=True)
            return None
