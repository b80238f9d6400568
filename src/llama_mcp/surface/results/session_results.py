"""What becomes of a session, and why a list or a page has none, as a caller is told of it."""

from pydantic import ConfigDict

from llama_mcp.sessions.records import Session, SessionList, TranscriptPage
from llama_mcp.surface.results.hints import EVERY_TOOL, Offered, hint
from llama_mcp.surface.results.texts import session_line
from llama_mcp.visible_text import visible_line

CHANGED = "Changed."
DELETED = "Deleted with all its turns, for good."
_GOES_ON = "with its session_id goes on in it"
_BEGINS = "with this session_id begins one"


class ToldSession(Session, frozen=True):
    """A session, and what was done with it."""

    model_config = ConfigDict(title="Session")

    note: str


def told_session(session: Session, note: str) -> ToldSession:
    """Return the session with what was done with it; a sentence."""
    return ToldSession(**session.model_dump(), note=note)


def copied(session: Session, offered: Offered = EVERY_TOOL) -> str:
    """Return what a fork is, and how to go on in it."""
    turn = session.forked_at_turn
    part = f"up to turn {turn}" if turn else "without its turns"
    return f"A copy of {session.forked_from} {part}{hint('chat', _GOES_ON, offered)}."


def session_text(session: ToldSession) -> str:
    """Return a session in words."""
    prompt = session.system_prompt
    lines = [session.note, session_line(session), f"Begun {session.created_at_utc}."]
    return "\n".join([*lines, *([f"System prompt: {visible_line(prompt)}"] if prompt else [])])


def told_list(
    found: SessionList, query: str, before: str, offered: Offered = EVERY_TOOL
) -> SessionList:
    """Return a page of sessions as it is told: why it is empty, and no system prompts.

    A system prompt can be long; read_session has it.
    """
    rows = tuple(row.model_copy(update={"system_prompt": None}) for row in found.sessions)
    note = found.note
    if not rows and not note:
        matching = " that match" if query else ""
        none_yet = f"There is no session yet{hint('chat', 'begins one', offered)}."
        note = f"No sessions{matching} changed before {before}." if found.total else none_yet
    return found.model_copy(update={"sessions": rows, "note": note})


def told_page(page: TranscriptPage, offset: int, offered: Offered = EVERY_TOOL) -> TranscriptPage:
    """Return a page of turns as it is told: why it is empty, and the system prompt once."""
    session = page.session.model_copy(update={"system_prompt": None}) if offset else page.session
    is_empty = not page.turns and not page.note
    no_turn = f"The session has no turn yet{hint('chat', _BEGINS, offered)}."
    return page.model_copy(update={"session": session, "note": no_turn if is_empty else page.note})
