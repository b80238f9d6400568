"""What is known of a reply besides its texts, as JSON: another process can go on with it exactly.

The texts alone do not say what was held back of them, nor where a thought or a call of a tool
ends.
"""

from collections.abc import Mapping
from typing import Any

from llama_mcp.turns.replies.partial_reply import PartialReply

# Plain values, which JSON gives back as they were.
_FIGURES = (
    "is_answered",
    "max_tokens",
    "queue_ms",
    "finish_reason",
    "model",
    "prompt_total",
    "prompt_processed",
    "prompt_cached",
    "prompt_ms",
    "generated",
    "first_token_ms",
    "usage_chunk",
    "timings_chunk",
    "is_whole",
    "models_system_prompt",
    "restored",
)


def state_of(reply: PartialReply) -> dict[str, Any]:
    """Return what is known of it besides its texts."""
    return {name: getattr(reply, name) for name in _FIGURES} | {
        "reasoning_pieces": len(reply.reasoning_pieces),
        "thoughts": dict(vars(reply.parter)),
        "tool_calls": vars(reply.tool_calls) | {"names": list(reply.tool_calls.names)},
        # Only its figures count any more.
        "earlier": None if reply.earlier is None else state_of(reply.earlier),
    }


def reply_of(state: Mapping[str, Any], text: str, reasoning: str) -> PartialReply:
    """Return the reply that goes on where the texts end.

    Args:
        state: what state_of gave then, or nothing.
        text: the reply so far.
        reasoning: its reasoning so far.
    """
    reply = PartialReply(is_read_on=True)
    for name in _FIGURES:
        if name in state:
            setattr(reply, name, state[name])
    # Pieces of reasoning are counted as its tokens.
    others = max(state.get("reasoning_pieces", 1) - 1, 0)
    reply.reasoning_pieces = [""] * others + [reasoning] if reasoning else []
    reply.pieces = [text] if text else []
    vars(reply.parter).update(state.get("thoughts", {}))
    vars(reply.tool_calls).update(state.get("tool_calls", {}))
    if earlier := state.get("earlier"):
        reply.earlier = reply_of(earlier, "", "")
    return reply
