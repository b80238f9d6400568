"""A session as a person reads it, in Markdown.

What was said is quoted line by line: a line without a mark of quotation is ours, so no message can
pass for a turn that never was.
"""

from collections.abc import Sequence

from llama_mcp.sessions.attachments import AttachedFile
from llama_mcp.sessions.records import WAITING, ArchivedTurn, Session, TurnStatus
from llama_mcp.visible_text import visible, visible_line
from llama_mcp.wording import counted

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
    parts = [*head_of(session)]
    if session.system_prompt:
        parts += ["## System prompt", quoted(session.system_prompt)]
    parts += [turn_text(turn, session) for turn in turns]
    if rest:
        parts.append(f"[More: {rest}]")
    return "\n\n".join(parts) + "\n"


def head_of(session: Session) -> tuple[str, str]:
    """Return the heading of a session, and the line of facts below it."""
    origin = ""
    if session.forked_from:
        origin = f", forked from {session.forked_from} at turn {session.forked_at_turn}"
    times = f"begun {session.created_at_utc}, changed {session.updated_at_utc}"
    facts = f"Session {session.session_id}, {times}{origin}."
    return f"# {visible_line(session.title)}", facts


def turn_text(turn: ArchivedTurn, session: Session) -> str:
    """Return a turn with its message, its reply, and how it ended when that is not whole."""
    model = visible_line(turn.model or "Assistant")
    files = ["\n".join(map(_file_line, turn.files))] if turn.files else []
    parts = [f"## Turn {turn.turn}", "**User**", *files, quoted(turn.message), f"**{model}**"]
    if turn.reasoning:
        parts += ["*Reasoning*", quoted(turn.reasoning), "*Reply*"]
    if turn.reply:
        parts.append(quoted(turn.reply))
    if turn.status in _ENDINGS:
        is_waiting = turn.status is TurnStatus.IN_PROGRESS and session.unfinished == WAITING
        parts.append(f"*This reply {_WAITS if is_waiting else _ENDINGS[turn.status]}.*")
        if turn.error:
            parts.append(quoted(turn.error))
    return "\n\n".join(parts)


def _file_line(file: AttachedFile) -> str:
    lines = f", lines {file.first_line} to {file.last_line}" if file.first_line else ""
    facts = f"{file.media_type or 'text'}, {counted(file.size_bytes, 'byte')}"
    return f"* File {visible_line(file.name)}{lines} ({facts}, sha256 {file.sha256})"


def quoted(text: str) -> str:
    """Return a text of others, every line with its mark of quotation."""
    return "\n".join(f"> {line}".rstrip(" ") for line in visible(text).split("\n"))
