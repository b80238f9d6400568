"""What the archive takes and gives: plain frozen records. Times are UTC, ISO 8601, ending in Z."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel


class TurnStatus(StrEnum):
    """How far a turn is, or how it ended."""

    IN_PROGRESS = "in_progress"
    COMPLETE = "complete"
    CANCELLED = "cancelled"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """The process that was receiving the reply died."""


Role = Literal["system", "user", "assistant"]


class Message(BaseModel, frozen=True):
    """One message of an earlier conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one turn, as llama-server counted them."""

    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    """The part of the prompt that llama-server had kept from before."""
    completion_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """How long one turn took."""

    first_token_ms: float | None = None
    total_ms: float | None = None
    prompt_tokens_per_second: float | None = None
    tokens_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a turn's time went into."""

    queue_ms: float | None = None
    """Waiting for a slot."""
    prompt_ms: float | None = None
    """Reading the part of the prompt that was not cached."""
    generation_ms: float | None = None
    cache_miss: str | None = None
    """Why more than half of the prompt had to be read again; None when it had not."""


@dataclass(frozen=True, slots=True)
class CacheFacts:
    """What the archive knows about whether llama-server can have kept a session's prompt."""

    is_first_turn: bool
    """No earlier turn of the session was sent to a llama-server."""
    last_run: str | None
    """The launch of llama-server that served the turn before; None when that is not known."""
    was_system_prompt_changed: bool
    """Since the turn before."""
    other_sessions: int
    """How many others the same launch has served since the turn before."""


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation, without its turns."""

    session_id: str
    title: str
    system_prompt: str | None
    created_at_utc: str
    updated_at_utc: str
    turn_count: int
    forked_from: str | None
    """The session that this one was copied from; it may be deleted by now."""
    forked_at_turn: int | None
    first_turn_in_prompt: int
    """Earlier turns are left out of the prompt; 1 when none is."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A message and its reply, as far as it was received."""

    session_id: str
    turn: int
    """Counted from 1."""
    status: TurnStatus
    message: str
    reply: str
    reasoning: str
    model: str | None
    sampling: dict[str, object]
    finish_reason: str | None
    usage: Usage
    timing: Timing
    receipt: Receipt
    context_tokens: int | None
    """Tokens of the context window in use when the turn ended."""
    notes: tuple[str, ...]
    error: str | None
    """What went wrong, when the turn failed or was interrupted."""
    started_at_utc: str
    ended_at_utc: str | None
    """For an interrupted turn: when its text was last saved."""
    imported: bool
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


@dataclass(frozen=True, slots=True)
class BegunTurn:
    """A turn that is in the archive and has no reply yet."""

    session: Session
    turn: int
    earlier: tuple[Turn, ...]
    """The turns that belong in the prompt, oldest first."""
    cache: CacheFacts


@dataclass(frozen=True, slots=True)
class TurnEnding:
    """How a turn ended, with the whole of what was received."""

    status: TurnStatus
    reply: str = ""
    reasoning: str = ""
    model: str | None = None
    """None keeps the model that the turn was begun with."""
    finish_reason: str | None = None
    usage: Usage = Usage()
    timing: Timing = Timing()
    receipt: Receipt = Receipt()
    context_tokens: int | None = None
    notes: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class TurnPage:
    """Some turns of a session, oldest first."""

    session: Session
    turns: tuple[Turn, ...]
    offset: int
    """How many turns of the session come before these."""
    total: int


@dataclass(frozen=True, slots=True)
class SessionHit:
    """A session of a list, with what a search found in it."""

    session: Session
    snippet: str | None = None
    """The piece of a title or text that matched; None when nothing was searched for."""


@dataclass(frozen=True, slots=True)
class SessionPage:
    """Some sessions, the one that changed last first."""

    hits: tuple[SessionHit, ...]
    total: int
    """Sessions in the archive, or those that matched."""
    next_before: str | None
    """Pass it as before to get the next page; None on the last one."""


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
