"""How far a reply is, and where it was written, as callers are told."""

from enum import StrEnum

from pydantic import BaseModel

from llama_mcp.turns.replies.reply import ChatReply


class ReplyStatus(StrEnum):
    """How far a reply is, or how it ended."""

    COMPLETE = "complete"
    IN_PROGRESS = "in_progress"
    WAITING = "waiting"
    """For one of llama-server's slots."""
    CANCELLED = "cancelled"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """The process that received it ended."""


class SavedTo(BaseModel, frozen=True):
    """The file that a reply was written to."""

    path: str
    size_bytes: int


def status_of(reply: ChatReply) -> ReplyStatus:
    """Return how far a reply is."""
    return ReplyStatus.WAITING if reply.place else ReplyStatus(reply.status.value)


def saved_to_of(reply: ChatReply) -> SavedTo | None:
    """Return the file that a reply was written to; None when it is in none."""
    if reply.save_to is None or reply.saved_bytes is None:
        return None
    return SavedTo(path=reply.save_to.path, size_bytes=reply.saved_bytes)
