"""A session as a person reads it: Markdown."""

from collections.abc import Sequence

from llama_mcp.sessions.records import TurnStatus
from llama_mcp.surface.results.sessions import SessionInfo, TranscriptPage, TranscriptTurn

_ENDINGS = {
    TurnStatus.IN_PROGRESS: "is still being generated",
    TurnStatus.CANCELLED: "was cancelled",
    TurnStatus.FAILED: "failed",
    TurnStatus.INTERRUPTED: "was interrupted: the process that received it ended",
}


def transcript(session: SessionInfo, turns: Sequence[TranscriptTurn]) -> str:
    """Return a whole session as Markdown, every turn with how it ended when it is not complete."""
    parts = [f"# {session.title}", _facts(session)]
    if session.system_prompt:
        parts += ["## System prompt", session.system_prompt]
    parts += [_turn(turn) for turn in turns]
    return "\n\n".join(parts) + "\n"


def page_text(page: TranscriptPage) -> str:
    """Return a page of a session as Markdown, and how to get the next one."""
    parts = [f"# {page.session.title}", _facts(page.session)]
    parts += [_turn(turn) for turn in page.turns]
    first, last = page.offset + 1, page.offset + len(page.turns)
    seen = f"turns {first} to {last} of {page.total}" if page.turns else f"0 of {page.total} turns"
    more = f"; more: offset={page.next_offset}" if page.next_offset is not None else ""
    parts.append(f"[{seen}{more}]")
    return "\n\n".join(parts)


def _facts(session: SessionInfo) -> str:
    origin = ""
    if session.forked_from:
        origin = f", forked from {session.forked_from} at turn {session.forked_at_turn}"
    return f"Session {session.session_id}, begun {session.created_at_utc}{origin}."


def _turn(turn: TranscriptTurn) -> str:
    parts = [f"## Turn {turn.turn}", "**User**", turn.message, f"**{turn.model or 'Assistant'}**"]
    if turn.reasoning:
        parts.append("\n".join(f"> {line}" for line in turn.reasoning.splitlines()))
    if turn.reply:
        parts.append(turn.reply)
    if turn.status in _ENDINGS:
        why = f" {turn.error}" if turn.error else ""
        parts.append(f"*This reply {_ENDINGS[turn.status]}.{why}*")
    return "\n\n".join(parts)
