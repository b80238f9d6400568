"""A session's first prompt on another launch of llama-server: gone on with from disk, where it can.

Once for each launch: afterwards llama-server has the session itself.
"""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.ready_server import ReadyServer
from llama_mcp.llama_server.restored_prompt import KeptPrompt, RestoredPrompt, ServedTurn
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.begun_turns import BegunTurn
from llama_mcp.turns.replies.partial_reply import PartialReply

logger = logging.getLogger(__name__)


class PromptRestoring:
    """What one turn does about its session's saved prompt cache."""

    def __init__(self, begun: BegunTurn, archive: Archive) -> None:
        self._archive = archive
        self._session_id, self._turn = begun.session.session_id, begun.turn
        self._may_be_kept = not begun.cache.is_first_turn and bool(begun.earlier)
        self._read_seconds = begun.cache.read_seconds
        # The launches that have read the session, or were asked to restore it.
        self._known = {begun.cache.last_run}

    @asynccontextmanager
    async def restored(
        self, server: ReadyServer, body: Mapping[str, Any], reply: PartialReply
    ) -> AsyncIterator[RestoredPrompt | None]:
        """Restore the prompt where something is saved; the reply is told what came of it.

        Args:
            server: the llama-server that is asked for the reply inside.
            body: the request.
            reply: what is received, whole when this is left.
        """
        restored = await self._restore(server, body)
        if restored is None:
            yield None
            return
        generated = reply.generated
        try:
            reply.restored = {"restore": restored.outcome}
            if restored.tokens:
                figures = {"restored_tokens": restored.tokens, "restore_ms": restored.ms}
                reply.restored |= figures
            yield restored
        except LlamaMCPError as error:
            if reply.generated == generated:
                await restored.came_to_nothing(error)
            raise
        finally:
            restored.let_go()
        usage = reply.latest_usage()
        used = (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
        outcome = await restored.judged(usage.cached_tokens, used or None)
        reply.restored = {**reply.restored, "restore": outcome}

    async def _restore(self, server: ReadyServer, body: Mapping[str, Any]) -> RestoredPrompt | None:
        if not self._may_be_kept or server.serving_id in self._known:
            return None
        self._known.add(server.serving_id)
        served = await self._served()
        # One of another model may have come between: then it still is in this one's memory.
        if not served or server.serving_id in served:
            return None
        kept = KeptPrompt(self._session_id, served, self._read_seconds)
        return await server.restore_prompt(body, kept)

    async def _served(self) -> dict[str, ServedTurn]:
        try:
            served = await self._archive.served_before(self._session_id, self._turn)
        except LlamaMCPError as error:
            logger.warning("Whether a prompt cache was saved is not known: %s", error)
            return {}
        return {
            run: ServedTurn(usage.prompt_tokens, usage.completion_tokens)
            for run, usage in served.items()
        }
