"""Why a turn's prompt was read again, from what its llama-server and the archive know."""

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.ready_server import ReadyServer
from llama_mcp.sessions.begun_turns import MOST_OTHER_SESSIONS
from llama_mcp.turns.replies.cache_miss import (
    UNKNOWN,
    ServingFacts,
    pushed_out_by,
    why_recomputed,
)
from llama_mcp.turns.replies.partial_reply import PartialReply
from llama_mcp.turns.turn_parts import TurnParts


async def judge_cache(
    server: ReadyServer,
    parts: TurnParts,
    reply: PartialReply,
    *,
    cache_mark: int,
    first_turn_in_prompt: int,
) -> str | None:
    """Return why more than half of the prompt was read again, if it was.

    Args:
        server: it has served the turn.
        parts: of the turn.
        reply: what has come.
        cache_mark: the server's, from when the turn got its slot.
        first_turn_in_prompt: the first turn of the session that was sent.
    """
    kept = parts.begun.cache
    serving = ServingFacts(
        run=server.serving_id,
        model=server.model,
        is_ours=server.is_ours,
        restore=reply.restored.get("restore"),
        is_history_cut=first_turn_in_prompt != parts.begun.first_turn_in_prompt,
        says_not_supported=not kept.is_first_turn and server.says_prompt_lost(cache_mark),
    )
    cause = why_recomputed(reply.usage(), kept, serving)
    # Who else uses an engine that somebody else runs is not known.
    return await _pushed_out(parts) if cause == UNKNOWN and server.is_ours else cause


async def _pushed_out(parts: TurnParts) -> str:
    begun = parts.begun
    try:
        others = await parts.archive.count_other_sessions(begun.session.session_id, begun.turn)
    except LlamaMCPError:  # the end of the turn says what is wrong with the archive
        return UNKNOWN
    return pushed_out_by(others, MOST_OTHER_SESSIONS)
