"""From what was received to the ChatReply, with everything that the caller should know in words."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from llama_mcp.sessions.records import TurnStatus, Usage
from llama_mcp.turns.chat_request import Sampling
from llama_mcp.turns.json_schema import parse_reply
from llama_mcp.turns.partial_reply import PartialReply
from llama_mcp.turns.receipt import receipt_of
from llama_mcp.turns.reply import ChatReply, ContextUse, ReplyTiming, ReplyUsage

_SLOW_TOKENS_PER_SECOND = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a turn stands, beside the text."""

    session_id: str
    turn: int
    status: TurnStatus
    sampling: Sampling
    context_limit: int | None
    n_gpu_layers: int | None
    turns_dropped: int
    # Why much of the prompt was read again, if it was.
    cache_miss: str | None
    notes: Sequence[str]


def reply_from(partial: PartialReply, outcome: Outcome) -> ChatReply:
    """Return the reply as callers see it."""
    usage = partial.usage()
    used = _tokens_used(usage)
    is_complete = outcome.status is TurnStatus.COMPLETE
    parsed, schema_notes = (
        parse_reply(partial.text, outcome.sampling) if is_complete else (None, [])
    )
    notes = [*outcome.notes, *schema_notes]
    if outcome.turns_dropped:
        notes.append(
            f"The {outcome.turns_dropped} oldest turn(s) no longer fit the context window and were "
            "left out of the prompt; the archive still has them."
        )
    if is_complete:
        notes += _end_notes(partial, outcome, used)
    return ChatReply(
        session_id=outcome.session_id,
        turn=outcome.turn,
        status=outcome.status,
        reply=partial.text,
        reasoning=partial.reasoning or None,
        parsed=parsed,
        finish_reason=partial.finish_reason,
        usage=ReplyUsage(**asdict(usage)),
        timing=ReplyTiming(**asdict(partial.timing())),
        receipt=receipt_of(usage, partial.receipt(outcome.cache_miss)),
        context=ContextUse(
            tokens_used=used, limit=outcome.context_limit, turns_dropped=outcome.turns_dropped
        ),
        notes=notes,
    )


def _tokens_used(usage: Usage) -> int | None:
    if usage.prompt_tokens is None:
        return None
    return usage.prompt_tokens + (usage.completion_tokens or 0)


def _end_notes(partial: PartialReply, outcome: Outcome, used: int | None) -> list[str]:
    notes = []
    if partial.finish_reason == "length":
        if outcome.context_limit and used and used >= outcome.context_limit:
            notes.append(
                f"The reply was cut off: the context window of {outcome.context_limit} tokens is "
                "full. Begin a new session, or start llama-server with a larger ctx_size."
            )
        else:
            notes.append(
                "The reply was cut off at the longest length that was allowed. Ask the model to "
                "go on, or pass a larger max_tokens."
            )
    if not partial.text.strip():
        notes.append(_why_empty(partial))
    rate = partial.timing().tokens_per_second
    if rate is not None and (advice := advise_slow(rate, outcome.n_gpu_layers)):
        notes.append(advice)
    return notes


def _why_empty(partial: PartialReply) -> str:
    if partial.reasoning_pieces:
        return (
            "The reply is empty: all tokens went into reasoning. Pass a larger max_tokens, or "
            "thinking=false."
        )
    return (
        "The reply is empty: the model ended its turn at once. Rephrase the message, or check that "
        "the model is made for chat."
    )


def advise_slow(tokens_per_second: float, n_gpu_layers: int | None) -> str | None:
    """Say what makes slow replies quicker, or None when they are not slow.

    Args:
        tokens_per_second: How fast the reply was generated.
        n_gpu_layers: As launched.
    """
    if tokens_per_second >= _SLOW_TOKENS_PER_SECOND:
        return None
    gpu = "" if n_gpu_layers else ", n_gpu_layers=-1 if there is a GPU"
    return (
        f"Slow: {tokens_per_second:.1f} tokens/s. A smaller model or quantisation{gpu}, or a "
        "smaller max_tokens, helps."
    )
