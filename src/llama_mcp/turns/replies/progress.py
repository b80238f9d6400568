"""How far a turn is, for whoever looks from another process; pure."""

import time
from collections.abc import Sequence

from llama_mcp.sessions.recent_turns import Stage, TurnProgress
from llama_mcp.turns.replies.figures import rate_of
from llama_mcp.turns.replies.partial_reply import PartialReply


def progress_of(reply: PartialReply, receiving: PartialReply | None = None) -> TurnProgress:
    """Return how far a turn is.

    Args:
        reply: The turn's, which knows of its waits.
        receiving: What is being generated now, if that is another one: a second try.
    """
    receiving = receiving or reply
    return TurnProgress(
        stage=_stage_of(reply, receiving),
        place=reply.queue_place.number if reply.queue_place else None,
        prompt_tokens=receiving.prompt_total,
        prompt_tokens_read=receiving.prompt_processed,
        generated_tokens=receiving.generated,
        tokens_per_second=_rate_of(receiving),
    )


def progress_of_pieces(job: PartialReply, pieces: Sequence[PartialReply]) -> TurnProgress:
    """Return how far a job is with the pieces that are asked for now.

    Args:
        job: The job's own reply, which knows of its waits.
        pieces: The replies that are being generated.
    """
    generating = [piece for piece in pieces if piece.generated]
    rates = [rate for piece in generating if (rate := _rate_of(piece))]
    stage = _stage_of(job, job)
    if stage is Stage.GENERATING and not generating:
        stage = Stage.READING
    return TurnProgress(
        stage=stage,
        place=job.queue_place.number if job.queue_place else None,
        prompt_tokens=sum(piece.prompt_total or 0 for piece in pieces) or None,
        prompt_tokens_read=sum(piece.prompt_processed for piece in pieces),
        generated_tokens=sum(piece.generated for piece in generating),
        tokens_per_second=round(sum(rates), 2) or None,
    )


def _stage_of(reply: PartialReply, receiving: PartialReply) -> Stage:
    if reply.load is not None:
        return Stage.LOADING
    # It is sent once it has a place; llama-server answers as soon as a slot of its own is free.
    is_sent = reply.queue_ms is not None
    if reply.queue_place is not None or (is_sent and not receiving.is_answered):
        return Stage.QUEUED
    return Stage.GENERATING if receiving.generated else Stage.READING


def _rate_of(reply: PartialReply) -> float | None:
    """Return the tokens a second since the first one; None where our clock cannot tell."""
    if reply.first_token_ms is None or reply.is_read_on or reply.generated < 2:
        return None
    seconds = time.monotonic() - reply.begun_at - reply.first_token_ms / 1000
    return rate_of((reply.generated - 1) / seconds) if seconds > 0 else None
