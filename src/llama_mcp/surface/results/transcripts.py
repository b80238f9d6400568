"""A session as a person reads it, in Markdown, and how much of one fits a result."""

from collections.abc import Sequence

from llama_mcp.sessions.records import ArchivedTurn, Session, TranscriptPage, TurnStatus

# A page of a transcript stays well below what hosts cut off (25,000 tokens, about 100 kB).
MAX_PAGE_CHARACTERS = 60_000

_ENDINGS = {
    TurnStatus.IN_PROGRESS: "is still being generated",
    TurnStatus.CANCELLED: "was cancelled",
    TurnStatus.FAILED: "failed",
    TurnStatus.INTERRUPTED: "was interrupted: the process that received it ended",
}


def transcript(session: Session, turns: Sequence[ArchivedTurn]) -> str:
    """Return a whole session as Markdown, every turn with how it ended when it is not complete."""
    parts = [f"# {session.title}", _facts(session)]
    if session.system_prompt:
        parts += ["## System prompt", session.system_prompt]
    parts += [_turn(turn) for turn in turns]
    return "\n\n".join(parts) + "\n"


def cut_page(page: TranscriptPage) -> TranscriptPage:
    """Return the page without the last turns that would be too much for a host."""
    turns = page.turns[: _count_that_fit(page.turns)]
    if len(turns) == len(page.turns):
        return page
    return page.model_copy(update={"turns": turns, "next_offset": page.offset + len(turns)})


def page_text(page: TranscriptPage) -> str:
    """Return a page of a session as Markdown, and how to get the next one."""
    parts = [f"# {page.session.title}", _facts(page.session)]
    parts += [_turn(turn) for turn in page.turns]
    first, last = page.offset + 1, page.offset + len(page.turns)
    seen = f"turns {first} to {last} of {page.total}" if page.turns else f"0 of {page.total} turns"
    more = f"; more: offset={page.next_offset}" if page.next_offset is not None else ""
    parts.append(f"[{seen}{more}]")
    return "\n\n".join(parts)


def _count_that_fit(turns: Sequence[ArchivedTurn]) -> int:
    """Return how many turns fit a page; always one, or paging would not advance."""
    characters = 0
    for number, turn in enumerate(turns):
        characters += len(turn.message) + len(turn.reply) + len(turn.reasoning or "")
        if characters > MAX_PAGE_CHARACTERS and number:
            return number
    return len(turns)


def _facts(session: Session) -> str:
    origin = ""
    if session.forked_from:
        origin = f", forked from {session.forked_from} at turn {session.forked_at_turn}"
    return f"Session {session.session_id}, begun {session.created_at_utc}{origin}."


def _turn(turn: ArchivedTurn) -> str:
    parts = [f"## Turn {turn.turn}", "**User**", turn.message, f"**{turn.model or 'Assistant'}**"]
    if turn.reasoning:
        parts.append("\n".join(f"> {line}" for line in turn.reasoning.splitlines()))
    if turn.reply:
        parts.append(turn.reply)
    if turn.status in _ENDINGS:
        why = f" {turn.error}" if turn.error else ""
        parts.append(f"*This reply {_ENDINGS[turn.status]}.{why}*")
    return "\n\n".join(parts)
