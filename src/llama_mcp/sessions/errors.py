"""What can go wrong with sessions and the archive."""

from llama_mcp.errors import LlamaMCPError


class SessionNotFoundError(LlamaMCPError):
    """There is no such session in the archive."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        super().__init__(
            f"There is no session {session_id!r}. Use a session_id that a reply named, or leave "
            "session_id out to begin a new session."
        )


class SessionBusyError(LlamaMCPError):
    """A reply is being generated in the session."""

    next_step = (
        "{Wait} to get it, {cancel} to stop it, or leave session_id out to begin another session."
    )

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        super().__init__(f"Session {session_id} is still generating a reply.")


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
