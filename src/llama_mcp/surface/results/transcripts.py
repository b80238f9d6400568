"""How much of a session's transcript fits a result, and what stands below each turn of a page."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llama_mcp.sessions.records import ArchivedTurn, TranscriptPage
from llama_mcp.sessions.transcript import head_of, quoted, turn_text
from llama_mcp.surface.results.pages import page_of, with_short_prompt
from llama_mcp.surface.results.replies import page_structure
from llama_mcp.visible_text import visible_line
from llama_mcp.wording import counted

# A page of a transcript stays well below what hosts cut off (25,000 tokens, about 100 kB).
MAX_PAGE_CHARACTERS = 60_000
# What is told of a file that was sent.
FILE_CHARACTERS = 150

# What the words of a turn say already.
_SAID = frozenset({"turn", "message", "files", "reasoning", "reply", "model", "error", "notes"})


def cut_page(page: TranscriptPage, offset: int) -> TranscriptPage:
    """Return the page without the last turns that would be too much for a host.

    Args:
        page: the turns after those that the offset skips.
        offset: as it was asked for; it may be that of a part of a turn.
    """
    turns, next_offset, _ = page_of(page.turns[: _count_that_fit(page.turns)], offset)
    changes = {
        "session": with_short_prompt(page.session),
        "turns": tuple(turns),
        "next_offset": next_offset if turns and next_offset != page.total else None,
    }
    return page.model_copy(update=changes)


def page_text(page: TranscriptPage) -> str:
    """Return a page of a session as Markdown, and how to get the next one."""
    parts = [*head_of(page.session)]
    if page.session.system_prompt:
        parts += ["## System prompt", quoted(page.session.system_prompt)]
    for turn, lean in zip(page.turns, page_structure(page)["turns"], strict=True):
        parts += [turn_text(turn, page.session), _figures(lean)]
    first, last = page.offset + 1, page.offset + len(page.turns)
    seen = page.note or f"0 of {counted(page.total, 'turn')}"
    if page.turns:
        seen = f"turns {first} to {last} of {page.total}"
    more = f"; more: offset={page.next_offset}" if page.next_offset is not None else ""
    parts.append(f"[{seen}{more}]")
    return "\n\n".join(parts)


def _count_that_fit(turns: Sequence[ArchivedTurn]) -> int:
    """Return how many turns fit a page; always one, or paging would not advance."""
    characters = 0
    for number, turn in enumerate(turns):
        characters += len(turn.message) + len(turn.reply) + len(turn.reasoning or "")
        characters += FILE_CHARACTERS * len(turn.files)
        if characters > MAX_PAGE_CHARACTERS and number:
            return number
    return len(turns)


def _figures(turn: Mapping[str, Any]) -> str:
    """Return what is not said in words of a turn, on one line, and its notes."""
    figures = [f"{name}={visible_line(text)}" for name, text in _leaves(turn)]
    return "\n".join([f"[{', '.join(figures)}]", *map(_note, turn.get("notes", []))])


def _note(note: str) -> str:
    return f"Note: {visible_line(note)}"


def _leaves(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in facts.items():
        if name in _SAID:
            continue
        if isinstance(value, dict) and name != "json_schema":
            yield from _leaves(value)
        else:
            yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
