"""What can go wrong with sessions and the archive."""

from collections.abc import Mapping

from llama_mcp.errors import LlamaMCPError
from llama_mcp.sessions.records import TurnUnderway
from llama_mcp.wording import shortened

# How much of a caller's text is repeated in an error.
_SHOWN_CHARACTERS = 40


class SessionNotFoundError(LlamaMCPError):
    """There is no such session in the archive."""

    next_step = "{List_sessions} to find it."

    def __init__(
        self, session_id: str, others: Mapping[str, str] | None, *, are_alike: bool
    ) -> None:
        """Take what was looked for.

        Args:
            session_id: what the caller passed.
            others: titles of sessions of the same owner by their ids; None names none.
            are_alike: whether their ids are like the one that was passed; else they are the newest.
        """
        self.session_id = shown_text(session_id)
        which = "Nearest" if are_alike else "The newest"
        others_text = f" {which}: {_listed(others)}." if others else " There is no session yet."
        others_text = "" if others is None else others_text
        super().__init__(f"There is no session {self.session_id!r}.{others_text}")


class SessionAmbiguousError(LlamaMCPError):
    """What was passed is the beginning of several session_ids, or too short for one."""

    def __init__(self, beginning: str, some: Mapping[str, str], count: int) -> None:
        """Take what was passed.

        Args:
            beginning: what the caller passed.
            some: titles of the sessions whose ids begin so, by their ids; not all when many do.
            count: how many begin so; some and one more when there are more.
        """
        more = " and others" if count > len(some) else ""
        super().__init__(
            f"session_id {shown_text(beginning)!r} is not enough: so begins {_listed(some)}{more}. "
            "Pass more of it."
        )


class SessionBusyError(LlamaMCPError):
    """A reply is being generated in the session."""

    next_step = "{Wait} to get it, or {cancel} to stop it."

    def __init__(self, underway: TurnUnderway, *, next_step: str | None = None) -> None:
        self.session_id = underway.session_id
        super().__init__(
            f"Session {underway.session_id} is still generating a reply, {underway.by_whom()}.",
            next_step=next_step,
        )


class SessionUnderwayError(LlamaMCPError):
    """A parameter that belongs to a session's first turn was passed on a later one."""

    def __init__(self, session_id: str, parameter: str) -> None:
        super().__init__(
            f"{parameter} belongs to the first turn, and session {session_id} has begun. Leave it "
            f"out to go on, or leave session_id out to begin a new session with this {parameter}."
        )


class NoReplyUnderwayError(LlamaMCPError):
    """There is nothing to wait for or to cancel."""

    next_step = "{Chat} with this session_id to begin one."

    def __init__(self, session_id: str) -> None:
        super().__init__(f"Session {session_id} has no turn yet, so there is no reply to give.")


class ArchiveError(LlamaMCPError):
    """The archive of sessions cannot be opened, read or written."""

    def __init__(self, path: str, problem: str, advice: str) -> None:
        super().__init__(f"The archive {path} {problem}. {advice}")


class ArchiveLockedError(ArchiveError):
    """Another program holds the archive; a moment later it may not."""


def shown_text(text: str) -> str:
    """Return the beginning of a caller's text, without what cannot be printed."""
    return "".join(c if c.isprintable() else "?" for c in shortened(text, _SHOWN_CHARACTERS))


def _listed(titles: Mapping[str, str]) -> str:
    return ", ".join(f"{session_id} ({title})" for session_id, title in titles.items())
