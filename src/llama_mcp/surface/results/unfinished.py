"""Which sessions have a reply that is not whole, and what to do about it."""

from llama_mcp.services import Services
from llama_mcp.sessions.records import WAITING, Session, SessionList, TurnStatus
from llama_mcp.surface.calling import current_caller
from llama_mcp.surface.results.hints import hint

_UNDERWAY = frozenset({TurnStatus.IN_PROGRESS.value, WAITING})
_WAIT = ("wait_for_reply", "gives a reply that is in_progress or waiting.")
_READ = ("read_session", "has what had come of one that was interrupted.")


async def list_with_unfinished(services: Services, sessions: SessionList) -> SessionList:
    """Return the list with how the last reply of each stands, and a note on what to do."""
    ids = [each.session_id for each in sessions.sessions]
    states = await services.unfinished(ids, owner=current_caller().owner)
    found = set(states.values())
    offered = services.settings.offered_tools
    notes = [
        sessions.note,
        hint(*_WAIT, offered, "") if found & _UNDERWAY else None,
        hint(*_READ, offered, "") if TurnStatus.INTERRUPTED.value in found else None,
    ]
    marked = tuple(_marked(session, states) for session in sessions.sessions)
    note = " ".join(filter(None, notes)) or None
    return sessions.model_copy(update={"sessions": marked, "note": note})


async def with_unfinished(services: Services, session: Session) -> Session:
    """Return the session with how its last reply stands."""
    owner = current_caller().owner
    return _marked(session, await services.unfinished([session.session_id], owner=owner))


def _marked(session: Session, states: dict[str, str]) -> Session:
    return session.model_copy(update={"unfinished": states.get(session.session_id)})
