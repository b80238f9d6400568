"""Builds the ChatReply of a turn: from what was received of it, or from the archive.

The notes say in words what the caller should know.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llama_mcp.sessions.attachments import SaveTo
from llama_mcp.sessions.jobs import JobState, KeptJob, coverage_notes, job_of
from llama_mcp.sessions.records import ArchivedTurn, TurnEnding, TurnStatus, Usage
from llama_mcp.turns.json_schema import ParsedReply, data_of
from llama_mcp.turns.replies.partial_reply import PartialReply
from llama_mcp.turns.replies.reply import ChatReply, ContextUse


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFacts:
    """What is known of a turn besides its text."""

    session_id: str
    turn: int
    status: TurnStatus
    parsed: ParsedReply
    sampling: Mapping[str, Any]
    """What the caller set."""
    context_limit: int | None
    model_ctx_size: int | None
    """How long a context the model was trained for, when that is known and matters."""
    why_slow: Callable[[float], str | None]
    """Says what makes replies of so many tokens a second quicker, if they are slow."""
    turns_dropped: int
    cache_miss: str | None
    """Why more than half of the prompt was read again, if it was."""
    notes: Sequence[str]
    is_ours: bool = True
    """Whether llama-mcp can start the llama-server with a larger window."""
    has_stop_texts: bool = False
    save_to: SaveTo | None = None
    saved_bytes: int | None = None


def reply_from(partial: PartialReply, facts: TurnFacts) -> ChatReply:
    """Return the reply as callers see it."""
    is_complete = facts.status is TurnStatus.COMPLETE
    is_underway = facts.status is TurnStatus.IN_PROGRESS
    usage, latest = partial.usage(), partial.latest_usage()
    if not is_complete:
        before = partial.earlier.generated if partial.earlier else 0
        usage = _with_pieces(usage, partial.generated)
        latest = _with_pieces(latest, partial.generated - before)
    used = _tokens_used(latest)
    is_cut = partial.finish_reason == "length"
    # Of a reply that was cut off, that is the one cause of all that is missing.
    notes = [*facts.notes, *(() if is_cut and facts.parsed.miss else facts.parsed.notes)]
    if is_complete:
        notes += _end_notes(partial, facts, used)
    return ChatReply(
        session_id=facts.session_id,
        turn=facts.turn,
        status=facts.status,
        place=partial.queue_place if is_underway else None,
        load=partial.load if is_underway else None,
        reply=partial.text,
        reasoning=partial.reasoning or None,
        parsed=facts.parsed.data,
        finish_reason=partial.finish_reason,
        usage=usage,
        timing=partial.timing(),
        receipt=partial.receipt(facts.cache_miss),
        context=ContextUse(
            tokens_used=used, limit=facts.context_limit, turns_dropped=facts.turns_dropped or None
        ),
        sampling=dict(facts.sampling),
        save_to=facts.save_to,
        saved_bytes=facts.saved_bytes,
        notes=notes,
    )


def ending_of(reply: ChatReply, model: str | None, error: str | None) -> TurnEnding:
    """Return what the archive keeps of a reply that is over."""
    return TurnEnding(
        status=reply.status,
        reply=reply.reply,
        reasoning=reply.reasoning,
        model=model,
        finish_reason=reply.finish_reason,
        usage=reply.usage,
        timing=reply.timing,
        receipt=reply.receipt,
        context_tokens=reply.context.tokens_used,
        saved_bytes=reply.saved_bytes,
        notes=tuple(reply.notes),
        error=error,
    )


def reply_from_archive(
    session_id: str, turn: ArchivedTurn, kept: KeptJob | None = None
) -> ChatReply:
    """Return an archived turn as the reply that its caller saw.

    Args:
        session_id: the session.
        turn: the turn.
        kept: the job that it is; None of a conversation.
    """
    return ChatReply(
        session_id=session_id,
        turn=turn.turn,
        status=turn.status,
        reply=turn.reply,
        reasoning=turn.reasoning,
        parsed=data_of(turn.reply) if _is_data(turn) else None,
        finish_reason=turn.finish_reason,
        usage=turn.usage,
        timing=turn.timing,
        receipt=turn.receipt,
        context=ContextUse(tokens_used=turn.context_tokens),
        sampling=turn.sampling,
        save_to=turn.save_to,
        saved_bytes=turn.saved_bytes,
        notes=_notes_of(turn, kept),
        job=_job_of(turn, kept),
    )


def _job_of(turn: ArchivedTurn, kept: KeptJob | None) -> JobState | None:
    if kept is None:
        return None
    # Pieces are no results while the job may still put them together, or when it has done so.
    has_pieces = turn.status not in (TurnStatus.IN_PROGRESS, TurnStatus.COMPLETE)
    return job_of(kept) if has_pieces else kept.state


def _notes_of(turn: ArchivedTurn, kept: KeptJob | None) -> list[str]:
    if kept is None:
        return list(turn.notes)
    # A job's result has them as data.
    told = coverage_notes(kept.state)
    notes = [note for note in turn.notes if note not in told]
    return [*notes, *([turn.error] if turn.error else [])]


def _is_data(turn: ArchivedTurn) -> bool:
    return turn.status is TurnStatus.COMPLETE and "json_schema" in turn.sampling


def _with_pieces(usage: Usage, pieces: int) -> Usage:
    """Return the usage of a reply that is not whole: each token came as a piece."""
    if usage.completion_tokens is not None:  # llama-server counts at the end
        return usage
    return usage.model_copy(update={"completion_tokens": pieces or None})


def _tokens_used(usage: Usage) -> int | None:
    if usage.prompt_tokens is None:
        return None
    return usage.prompt_tokens + (usage.completion_tokens or 0)


def _end_notes(partial: PartialReply, facts: TurnFacts, used: int | None) -> list[str]:
    notes = []
    if note := _how_it_ended(partial, facts, used):
        notes.append(note)
    rate = partial.timing().tokens_per_second
    if rate is not None and (advice := facts.why_slow(rate)):
        notes.append(advice)
    return notes


def _or_larger_window(facts: TurnFacts) -> str:
    trained = facts.model_ctx_size
    if not facts.is_ours:
        return ""
    if trained is None:
        return ", or start llama-server with a larger ctx_size if the model was trained for it"
    if trained <= (facts.context_limit or 0):
        return "; the model was trained for no longer one"
    return f", or start llama-server with a larger ctx_size, up to {trained}"


def _how_it_ended(partial: PartialReply, facts: TurnFacts, used: int | None) -> str | None:
    """Return what is missing of a reply and the one cause of it; None when nothing is."""
    if partial.tool_calls.names:
        return _called_tools(partial.tool_calls.names)
    is_empty = not partial.text.strip()
    if partial.finish_reason != "length":
        return _why_empty(partial, facts) if is_empty else None
    # Data that is whole was followed by white space only.
    if facts.parsed.is_whole:
        return None
    if is_empty and partial.reasoning_pieces:
        what, advice = "is empty: all tokens went into reasoning", "or thinking=false"
    elif is_empty:
        what, advice = "is empty: all tokens went into white space", "or another message"
    elif facts.parsed.miss:
        what, advice = "was cut off and is no whole JSON", "or a json_schema that asks for less"
    else:
        what, advice = "was cut off", "or ask the model to go on"
    if facts.context_limit and used and used >= facts.context_limit:
        return (
            f"The reply {what}; the context window of {facts.context_limit} tokens is full. Begin "
            f"a new session{_or_larger_window(facts)}."
        )
    return f"The reply {what}, at the longest length allowed. Pass a larger max_tokens, {advice}."


def _called_tools(names: Sequence[str]) -> str:
    different = list(dict.fromkeys(names))
    tools = "tool" if len(different) == 1 else "tools"
    calls = "call is" if len(names) == 1 else "calls are"
    return (
        f"The model tried to call the {tools} {', '.join(different)}; it has none here, and the "
        f"{calls} kept as the text of the reply. Do what it asks for and send the result, or ask "
        "it to answer itself."
    )


def _why_empty(partial: PartialReply, facts: TurnFacts) -> str:
    if partial.finish_reason != "stop":
        reason = partial.finish_reason or "none"
        return f"The reply is empty; the reason that llama-server gives is: {reason}."
    if partial.reasoning_pieces:
        return (
            "The reply is empty: the model reasoned and then ended its turn. Send the message "
            "again, or pass thinking=false."
        )
    if facts.has_stop_texts:
        return (
            "The reply is empty: the model began with one of the stop texts, or ended its turn at "
            "once. Leave stop out, or rephrase the message."
        )
    return (
        "The reply is empty: the model ended its turn at once. Rephrase the message, or check that "
        "the model is made for chat."
    )
