"""The records of the archive, frozen. Times are UTC, ISO 8601, ending in Z.

Clients see Session, ArchivedTurn, Usage, Timing and Receipt, and pages of them, as they are here.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Literal

from pydantic import BaseModel

from llama_mcp.sessions.attachments import AttachedFile, Attachment, SaveTo
from llama_mcp.sessions.texts import seconds_since
from llama_mcp.wording import lasting

INTERRUPTED = (
    "The llama-mcp process that was receiving this reply ended before the reply did. What had come "
    "is kept: ask the model to go on, or send the message again."
)


class TurnStatus(StrEnum):
    """How far a turn is, or how it ended."""

    IN_PROGRESS = "in_progress"
    COMPLETE = "complete"
    CANCELLED = "cancelled"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """The process that was receiving the reply died."""


# How a turn stands that is in progress and waits for a slot or its model.
WAITING = "waiting"

Role = Literal["system", "user", "assistant"]


class Message(BaseModel, frozen=True):
    """One message of an earlier conversation."""

    role: Role
    content: str


class Usage(BaseModel, frozen=True):
    """Tokens of one turn, as llama-server counted them."""

    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    """The part of the prompt that llama-server had kept from before."""
    completion_tokens: int | None = None

    @property
    def recomputed_tokens(self) -> int | None:
        """The part of the prompt that llama-server had to read."""
        if self.prompt_tokens is None or self.cached_tokens is None:
            return None
        return self.prompt_tokens - self.cached_tokens


class Timing(BaseModel, frozen=True):
    """How long one turn took."""

    first_token_ms: float | None = None
    total_ms: float | None = None
    prompt_tokens_per_second: float | None = None
    tokens_per_second: float | None = None


class Receipt(BaseModel, frozen=True):
    """What a turn's time went into; Receipt.of makes one."""

    DERIVED: ClassVar[frozenset[str]] = frozenset({"cached_tokens", "recomputed_tokens"})
    """The figures that follow from the usage, and are not stored a second time."""

    cached_tokens: int | None = None
    recomputed_tokens: int | None = None
    """Prompt tokens that were not cached."""
    queue_ms: float | None = None
    """Waiting for a slot."""
    prompt_ms: float | None = None
    """Reading the part of the prompt that was not cached."""
    generation_ms: float | None = None
    reasoning_tokens: int | None = None
    """The part of the generated tokens that is reasoning."""
    cache_miss: str | None = None
    """Why more than half of the prompt was read again; None when it was not."""
    models_system_prompt: str | None = None
    """The one that the model brings, used because the session has none."""
    restore: str | None = None
    """What came of the session's prompt cache that an earlier launch had saved; None without one.

    `from disk`, `refused:` or `ineffective:` with the reason."""
    restored_tokens: int | None = None
    """How many tokens were gone on from; they are cached ones."""
    restore_ms: float | None = None

    @classmethod
    def of(cls, usage: Usage, **figures: Any) -> "Receipt":
        """Return a receipt with the figures that follow from the usage.

        Args:
            usage: The turn's token counts.
            figures: The other fields, by name. Names that this version does not know are ignored.
        """
        derived = {name: getattr(usage, name) for name in cls.DERIVED}
        return cls(**figures | derived)


class Session(BaseModel, frozen=True):
    """A session without its turns."""

    session_id: str
    title: str
    turns: int
    """How many turns it has."""
    created_at_utc: str
    updated_at_utc: str
    system_prompt: str | None = None
    forked_from: str | None = None
    """The session that this one was copied from; it may be deleted by now."""
    forked_at_turn: int | None = None
    unfinished: str | None = None
    """In a list and a page: how its last turn stands, if that has no whole reply."""
    match: str | None = None
    """In the result of a search: the part of a title or text that matched."""


class TurnBeginning(BaseModel, frozen=True):
    """What is known of an archived turn from its first moment."""

    turn: int
    """Counted from 1."""
    message: str


class TurnEnding(BaseModel, frozen=True):
    """How a turn ended, with all of the reply that was received."""

    status: TurnStatus
    reply: str = ""
    reasoning: str | None = None
    model: str | None = None
    """None keeps the model that the turn was begun with."""
    finish_reason: str | None = None
    usage: Usage = Usage()
    timing: Timing = Timing()
    receipt: Receipt = Receipt()
    context_tokens: int | None = None
    """Tokens of the context window in use when the turn ended."""
    saved_bytes: int | None = None
    """How large the file is that the reply was written to; None when it was not."""
    notes: tuple[str, ...] = ()
    error: str | None = None
    """What went wrong, when the turn failed or was interrupted."""


# The beginning is the last base: pydantic lists the fields of the last base first, and readers of
# the JSON expect the message before the reply.
class ArchivedTurn(TurnEnding, TurnBeginning, frozen=True):
    """A message and its reply, as far as it was received."""

    files: tuple[AttachedFile, ...] = ()
    """Sent with the message."""
    sampling: dict[str, Any] = {}
    save_to: SaveTo | None = None
    """Where the reply was to be written."""
    started_at_utc: str
    ended_at_utc: str | None = None
    """For an interrupted turn: when its text was last saved."""
    imported: bool = False
    """True when it came with the history that the session was begun from."""


@dataclass(frozen=True, slots=True)
class NewTurn:
    """What a turn is begun with."""

    message: str
    system_prompt: str | None = None
    history: tuple[Message, ...] = ()
    model: str | None = None
    run: str | None = None
    """The launch of llama-server that is to serve it."""
    sampling: Mapping[str, object] = field(default_factory=dict)
    call: str | None = None
    """By which the same call is known when it is made again."""
    stream_id: str | None = None
    """By which its reply can be read on; None when it ends with its reader."""
    attached: tuple[Attachment, ...] = ()
    save_to: SaveTo | None = None


@dataclass(frozen=True, slots=True)
class TurnUnderway:
    """A turn whose reply is being generated, by whichever process."""

    session_id: str
    title: str
    owner: str
    """Whose the session is."""
    started_at_utc: str
    writer_pid: int | None
    """The process that generates it; None when an older llama-mcp does."""
    run: str | None = None
    """The launch of llama-server that it was begun with."""
    is_left: bool = False
    """That process has ended, and llama-server may go on with the reply."""

    @property
    def age_seconds(self) -> float:
        """How long it has been under way."""
        return seconds_since(self.started_at_utc)

    def by_whom(self) -> str:
        """Return since when and by whom, in words."""
        lasted = lasting(self.age_seconds)
        if self.is_left:
            return f"for {lasted} now; the llama-mcp process that asked for it has ended"
        if self.writer_pid == os.getpid():
            return f"for {lasted} now"
        pid = f" (pid {self.writer_pid})" if self.writer_pid else ""
        return f"for {lasted} now, by another llama-mcp process{pid}"


@dataclass(frozen=True, slots=True)
class EarlierUnderway:
    """The turns that began before one, with the same launch of llama-server, and go on."""

    own: tuple[str, ...] = ()
    """The sessions of the same owner, oldest first."""
    others: int = 0
    """How many turns of other owners there are."""


class TranscriptPage(BaseModel, frozen=True):
    """Turns of a session, oldest first; next_offset gets the next page."""

    session: Session
    turns: tuple[ArchivedTurn, ...] = ()
    offset: int
    """How many turns of the session come before these."""
    total: int
    next_offset: int | None = None
    note: str | None = None
    """That the page lies behind the last turn."""


class SessionList(BaseModel, frozen=True):
    """Sessions, the one that changed last first; next_before gets the next page."""

    sessions: tuple[Session, ...] = ()
    total: int
    """Sessions in the archive, or those that matched; of very many, the newest ones."""
    next_before: str | None = None
    note: str | None = None
    """That a search found only some of the words, or nothing; what unfinished means."""


class Quantiles(BaseModel, frozen=True):
    """The middle of many values, and the value that only one in twenty exceeds."""

    median: float
    p95: float


class TurnStatistics(BaseModel, frozen=True):
    """What the archived turns with one model saw; of the newest 10,000 turns, all clients'."""

    model: str
    turns: int
    failures: int
    first_token_ms: Quantiles | None = None
    tokens_per_second: Quantiles | None = None
