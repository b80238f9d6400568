"""A session's first prompt on another launch of llama-server: gone on with from disk, where it can.

Once for each launch: afterwards llama-server has the session itself.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from llama_mcp.llama_server.errors import LlamaServerLostError
from llama_mcp.llama_server.ready_server import ReadyServer
from llama_mcp.llama_server.restored_prompt import KeptPrompt, RestoredPrompt
from llama_mcp.sessions.records import BegunTurn
from llama_mcp.turns.replies.partial_reply import PartialReply


class PromptRestoring:
    """What one turn does about its session's saved prompt cache."""

    def __init__(self, begun: BegunTurn) -> None:
        self._kept = _kept_prompt(begun)
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
        except LlamaServerLostError:
            if reply.generated == generated:
                await restored.distrust()
            raise
        finally:
            restored.let_go()
        usage = reply.latest_usage()
        used = (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
        outcome = await restored.judged(usage.cached_tokens, used or None)
        reply.restored = {**reply.restored, "restore": outcome}

    async def _restore(self, server: ReadyServer, body: Mapping[str, Any]) -> RestoredPrompt | None:
        if self._kept is None or server.serving_id in self._known:
            return None
        self._known.add(server.serving_id)
        return await server.restore_prompt(body, self._kept)


def _kept_prompt(begun: BegunTurn) -> KeptPrompt | None:
    """Return what is known of the session; None when no llama-server has read it."""
    if begun.cache.is_first_turn or not begun.earlier:
        return None
    last = begun.earlier[-1]
    prompt_tokens, rate = last.usage.prompt_tokens, last.timing.prompt_tokens_per_second
    return KeptPrompt(
        session_id=begun.session.session_id,
        last_run=begun.cache.last_run,
        prompt_tokens=prompt_tokens,
        reply_tokens=last.usage.completion_tokens,
        read_seconds=prompt_tokens / rate if prompt_tokens and rate else None,
    )
