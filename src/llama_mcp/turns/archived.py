"""A turn as the archive keeps it, turned back into the reply that its caller saw."""

from dataclasses import asdict

from llama_mcp.sessions.records import Turn
from llama_mcp.turns.receipt import receipt_of
from llama_mcp.turns.reply import ChatReply, ContextUse, ReplyTiming, ReplyUsage


def reply_of(turn: Turn) -> ChatReply:
    """Return an archived turn's reply."""
    return ChatReply(
        session_id=turn.session_id,
        turn=turn.turn,
        status=turn.status,
        reply=turn.reply,
        reasoning=turn.reasoning or None,
        finish_reason=turn.finish_reason,
        usage=ReplyUsage(**asdict(turn.usage)),
        timing=ReplyTiming(**asdict(turn.timing)),
        receipt=receipt_of(turn.usage, turn.receipt),
        context=ContextUse(tokens_used=turn.context_tokens),
        notes=list(turn.notes),
    )
