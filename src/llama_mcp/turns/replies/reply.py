"""The result of a turn, as callers see it."""

from typing import Any

from pydantic import BaseModel

from llama_mcp.llama_server.ready_server import ModelLoad
from llama_mcp.sessions.attachments import SaveTo
from llama_mcp.sessions.jobs import JobState
from llama_mcp.sessions.records import Receipt, Timing, TurnStatus, Usage
from llama_mcp.turns.slot_queue import Place


class ContextUse(BaseModel, frozen=True):
    """How full the session's context window is."""

    tokens_used: int | None = None
    limit: int | None = None
    turns_dropped: int | None = None
    """The oldest ones, which are no longer part of the prompt."""


class ChatReply(BaseModel, frozen=True):
    """A reply, complete or the part that has been received, and all that is known of it."""

    session_id: str
    turn: int
    status: TurnStatus
    place: Place | None = None
    """Where it waits for a slot, if it does."""
    load: ModelLoad | None = None
    """How far the model is that it waits for, if it does."""
    reply: str
    reasoning: str | None = None
    parsed: Any = None
    finish_reason: str | None = None
    usage: Usage = Usage()
    timing: Timing = Timing()
    receipt: Receipt = Receipt()
    context: ContextUse = ContextUse()
    sampling: dict[str, Any] = {}
    """What the caller set of how the reply is drawn."""
    save_to: SaveTo | None = None
    """The file that it goes to."""
    saved_bytes: int | None = None
    """How large that file is; None when it was not written."""
    notes: list[str] = []
    job: JobState | None = None
    """How far a job over files is, or what has come of it; None of a conversation."""

    @property
    def is_over(self) -> bool:
        """Whether no more of it comes."""
        return self.status is not TurnStatus.IN_PROGRESS

    @property
    def is_in_file(self) -> bool:
        """Whether it was written to the file that it goes to."""
        return self.save_to is not None and self.saved_bytes is not None
