"""A session as a person reads it, in Markdown, and how much of one fits a result.

What was said is quoted line by line: a line without a mark of quotation is ours, so no message can
pass for a turn that never was.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llama_mcp.sessions.attachments import AttachedFile
from llama_mcp.sessions.records import ArchivedTurn, Session, TranscriptPage, TurnStatus
from llama_mcp.surface.results.pages import page_of, with_short_prompt
from llama_mcp.surface.results.replies import page_structure
from llama_mcp.surface.results.unfinished import WAITING
from llama_mcp.visible_text import visible, visible_line
from llama_mcp.wording import counted

# A page of a transcript stays well below what hosts cut off (25,000 tokens, about 100 kB).
MAX_PAGE_CHARACTERS = 60_000
# What is told of a file that was sent.
FILE_CHARACTERS = 150

# What the words of a turn say already.
_SAID = frozenset({"turn", "message", "files", "reasoning", "reply", "model", "error", "notes"})
_ENDINGS = {
    TurnStatus.IN_PROGRESS: "is still being generated",
    TurnStatus.CANCELLED: "was cancelled",
    TurnStatus.FAILED: "failed",
    TurnStatus.INTERRUPTED: "was interrupted: the process that received it ended",
}

_WAITS = "waits for a slot or for the model"


def transcript(session: Session, turns: Sequence[ArchivedTurn], rest: str | None = None) -> str:
    """Return turns of a session as Markdown, every one with how it ended when it is not complete.

    Args:
        session: whose they are.
        turns: all of them, or a page.
        rest: the URI of the next page.
    """
    parts = [*_head(session)]
    if session.system_prompt:
        parts += ["## System prompt", _quoted(session.system_prompt)]
    parts += [_turn(turn, session) for turn in turns]
    if rest:
        parts.append(f"[More: {rest}]")
    return "\n\n".join(parts) + "\n"


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
    parts = [*_head(page.session)]
    if page.session.system_prompt:
        parts += ["## System prompt", _quoted(page.session.system_prompt)]
    for turn, lean in zip(page.turns, page_structure(page)["turns"], strict=True):
        parts += [_turn(turn, page.session), _figures(lean)]
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


def _head(session: Session) -> tuple[str, str]:
    origin = ""
    if session.forked_from:
        origin = f", forked from {session.forked_from} at turn {session.forked_at_turn}"
    times = f"begun {session.created_at_utc}, changed {session.updated_at_utc}"
    facts = f"Session {session.session_id}, {times}{origin}."
    return f"# {visible_line(session.title)}", facts


def _turn(turn: ArchivedTurn, session: Session) -> str:
    model = visible_line(turn.model or "Assistant")
    files = ["\n".join(map(_file_line, turn.files))] if turn.files else []
    parts = [f"## Turn {turn.turn}", "**User**", *files, _quoted(turn.message), f"**{model}**"]
    if turn.reasoning:
        parts += ["*Reasoning*", _quoted(turn.reasoning), "*Reply*"]
    if turn.reply:
        parts.append(_quoted(turn.reply))
    if turn.status in _ENDINGS:
        is_waiting = turn.status is TurnStatus.IN_PROGRESS and session.unfinished == WAITING
        parts.append(f"*This reply {_WAITS if is_waiting else _ENDINGS[turn.status]}.*")
        if turn.error:
            parts.append(_quoted(turn.error))
    return "\n\n".join(parts)


def _file_line(file: AttachedFile) -> str:
    lines = f", lines {file.first_line} to {file.last_line}" if file.first_line else ""
    facts = f"{file.media_type or 'text'}, {counted(file.size_bytes, 'byte')}"
    return f"* File {visible_line(file.name)}{lines} ({facts}, sha256 {file.sha256})"


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


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip(" ") for line in visible(text).split("\n"))
