"""Sessions and transcripts as tools and JSON resources give them."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from llama_mcp.sessions.records import Session, SessionPage, Turn, TurnPage, TurnStatus
from llama_mcp.turns.receipt import receipt_of

# A page of a transcript stays well below what hosts cut off (25,000 tokens, about 100 kB).
MAX_PAGE_CHARACTERS = 60_000


class SessionInfo(BaseModel, frozen=True):
    """A session without its turns."""

    session_id: str
    title: str
    turns: int
    created_at_utc: str
    updated_at_utc: str
    system_prompt: str | None = None
    forked_from: str | None = None
    forked_at_turn: int | None = None
    match: str | None = None

    @classmethod
    def of(cls, session: Session, match: str | None = None) -> "SessionInfo":
        """Return the session as callers see it, with what a search found in it."""
        return cls(
            session_id=session.session_id,
            title=session.title,
            turns=session.turn_count,
            created_at_utc=session.created_at_utc,
            updated_at_utc=session.updated_at_utc,
            system_prompt=session.system_prompt,
            forked_from=session.forked_from,
            forked_at_turn=session.forked_at_turn,
            match=match,
        )


class SessionList(BaseModel, frozen=True):
    """Sessions, newest first; next_before gets the next page."""

    sessions: list[SessionInfo] = []
    total: int
    next_before: str | None = None

    @classmethod
    def of(cls, page: SessionPage) -> "SessionList":
        """Return a page of the archive's list."""
        sessions = [SessionInfo.of(hit.session, hit.snippet) for hit in page.hits]
        return cls(sessions=sessions, total=page.total, next_before=page.next_before)


class TranscriptTurn(BaseModel, frozen=True):
    """One turn, with all that is known of it."""

    turn: int
    status: TurnStatus
    message: str
    reply: str
    reasoning: str | None = None
    model: str | None = None
    finish_reason: str | None = None
    usage: dict[str, Any] = {}
    timing: dict[str, Any] = {}
    receipt: dict[str, Any] = {}
    context_tokens: int | None = None
    sampling: dict[str, Any] = {}
    notes: list[str] = []
    error: str | None = None
    started_at_utc: str
    ended_at_utc: str | None = None
    imported: bool = False

    @classmethod
    def of(cls, turn: Turn) -> "TranscriptTurn":
        """Return an archived turn as callers see it."""
        return cls(
            turn=turn.turn,
            status=turn.status,
            message=turn.message,
            reply=turn.reply,
            reasoning=turn.reasoning or None,
            model=turn.model,
            finish_reason=turn.finish_reason,
            usage=_as_dict(turn.usage),
            timing=_as_dict(turn.timing),
            receipt=receipt_of(turn.usage, turn.receipt).model_dump(),
            context_tokens=turn.context_tokens,
            sampling=turn.sampling,
            notes=list(turn.notes),
            error=turn.error,
            started_at_utc=turn.started_at_utc,
            ended_at_utc=turn.ended_at_utc,
            imported=turn.imported,
        )


class TranscriptPage(BaseModel, frozen=True):
    """Turns of a session, oldest first; next_offset gets the next page."""

    session: SessionInfo
    turns: list[TranscriptTurn] = []
    offset: int
    total: int
    next_offset: int | None = None

    @classmethod
    def of(cls, page: TurnPage) -> "TranscriptPage":
        """Return a page of the archive, cut where it would be too much for a host."""
        kept = _that_fit(page.turns)
        end = page.offset + len(kept)
        return cls(
            session=SessionInfo.of(page.session),
            turns=[TranscriptTurn.of(turn) for turn in kept],
            offset=page.offset,
            total=page.total,
            next_offset=end if end < page.total else None,
        )


def _that_fit(turns: Sequence[Turn]) -> Sequence[Turn]:
    """Return the first turns whose texts fit a page; always one, or paging would not advance."""
    characters = 0
    for number, turn in enumerate(turns):
        characters += len(turn.message) + len(turn.reply) + len(turn.reasoning)
        if characters > MAX_PAGE_CHARACTERS and number:
            return turns[:number]
    return turns


def _as_dict(figures: Any) -> dict[str, Any]:
    return {name: getattr(figures, name) for name in figures.__slots__}
