"""Pages of a session, each small enough for a frame, and the offset that gets the next one.

An offset is how many turns come before the page. A turn that fits no frame is given in parts; then
the number of the part is in the offset's higher bits, which no count of turns reaches.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from llama_mcp.observing.lean_data import structure_of
from llama_mcp.sessions.records import ArchivedTurn, Session
from llama_mcp.surface.sizes import cut_text, wire_bytes

# A session has fewer turns (sessions/sqlite/rows.py).
_PART = 2**20
# Of a page's turns as JSON. On the wire it is up to three times that: text and structure, or JSON
# in a string of JSON.
PAGE_BYTES = 2 * 1024 * 1024
# Six bytes each at most.
PART_CHARACTERS = 300_000
SYSTEM_PROMPT_CHARACTERS = 100_000


def turns_before(offset: int) -> int:
    """Return how many turns come before the page with this offset."""
    return offset % _PART


class Fitting(NamedTuple):
    """What fits a page."""

    turns: list[ArchivedTurn]
    next_offset: int
    used_bytes: int
    """Of the page, so far."""


def page_of(turns: Sequence[ArchivedTurn], offset: int, used_bytes: int = 0) -> Fitting:
    """Return the turns that fit a page, and the offset of what comes after them.

    Args:
        turns: the turns after those that the offset skips, oldest first.
        offset: of this page, or of how much of it there is already.
        used_bytes: how large that is.
    """
    part, before = divmod(offset, _PART)
    taken: list[ArchivedTurn] = []
    for turn in turns:
        size = wire_bytes(structure_of(turn))
        if used_bytes and used_bytes + size > PAGE_BYTES:
            break
        if size > PAGE_BYTES or part:
            piece, is_last = _part_of(turn, part)
            following = before + 1 if is_last else before + (part + 1) * _PART
            return Fitting([piece], following, size)
        taken.append(turn)
        used_bytes += size
    return Fitting(taken, before + len(taken), used_bytes)


def with_short_prompt(session: Session) -> Session:
    """Return the session for the head of a page."""
    if session.system_prompt is None:
        return session
    shown = cut_text(session.system_prompt, SYSTEM_PROMPT_CHARACTERS)
    return session.model_copy(update={"system_prompt": shown})


def _part_of(turn: ArchivedTurn, part: int) -> tuple[ArchivedTurn, bool]:
    """Return one part of a turn's message, reasoning and reply, and whether it is the last."""
    texts = {"message": turn.message, "reasoning": turn.reasoning or "", "reply": turn.reply}
    first, end = part * PART_CHARACTERS, (part + 1) * PART_CHARACTERS
    parts: dict[str, Any] = {} if part == 0 else {"files": ()}
    for name, text in texts.items():
        parts[name] = text[max(0, first) : max(0, end)]
        first, end = first - len(text), end - len(text)
    return turn.model_copy(update=parts), end >= 0
