"""A session as a person reads it: Markdown."""

from llama_mcp.sessions.records import Session, Turn, TurnStatus

_ENDINGS = {
    TurnStatus.IN_PROGRESS: "still being generated",
    TurnStatus.CANCELLED: "cancelled",
    TurnStatus.FAILED: "failed",
    TurnStatus.INTERRUPTED: "interrupted: the process that received it ended",
}


def transcript(session: Session, turns: tuple[Turn, ...]) -> str:
    """Return the session as Markdown, every turn with how it ended when it is not complete."""
    parts = [f"# {session.title}", _facts(session)]
    if session.system_prompt:
        parts += ["## System prompt", session.system_prompt]
    for turn in turns:
        parts += [f"## Turn {turn.turn}", "**User**", turn.message]
        parts += _reply(turn)
    return "\n\n".join(parts) + "\n"


def _facts(session: Session) -> str:
    origin = f", forked from {session.forked_from}" if session.forked_from else ""
    return f"Session {session.session_id}, begun {session.created_at_utc}{origin}."


def _reply(turn: Turn) -> list[str]:
    parts = [f"**{turn.model or 'Assistant'}**"]
    if turn.reasoning:
        parts.append("\n".join(f"> {line}" for line in turn.reasoning.splitlines()))
    if turn.reply:
        parts.append(turn.reply)
    if turn.status in _ENDINGS:
        why = f" ({turn.error})" if turn.error else ""
        parts.append(f"*This reply was {_ENDINGS[turn.status]}.{why}*")
    return parts
