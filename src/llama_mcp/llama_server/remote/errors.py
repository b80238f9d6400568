"""What can go wrong with an engine that somebody else runs."""

import math

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.model_errors import CannotRankError

_NOT_OURS = "Somebody else runs it; llama-mcp can neither start nor repair it."


class KeyFileError(LlamaMCPError):
    """The file with an engine's key cannot be used. Neither text has anything of the key."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(
            f"The key for the engine cannot be taken from {path}: {problem}. Only the operator "
            "can set that right; the file is read again with the next call."
        )


class RemoteUnreachableError(LlamaMCPError):
    """An engine does not answer."""

    next_step = "{Status} to see whether it answers again, then call again."

    def __init__(self, url: str, problem: str) -> None:
        """Take what was asked for, and what came instead, a clause."""
        super().__init__(f"The engine at {url} was not reached: {problem}. {_NOT_OURS}")


class RemoteLostError(LlamaMCPError):
    """An engine has broken off a reply."""

    next_step = "{Status} to see whether it answers, then send the message again."

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(f"The engine at {url} broke the reply off: {problem}. {_NOT_OURS}")


class RemoteRefusedError(LlamaMCPError):
    """An engine answers, and does not let itself be used as the operator has set it."""

    def __init__(self, url: str, problem: str, advice: str) -> None:
        super().__init__(f"The engine at {url} cannot be used: {problem}. {advice}")


class RemoteRequestError(LlamaMCPError):
    """An engine refuses one request, and would take another."""

    def __init__(self, url: str, problem: str, advice: str) -> None:
        super().__init__(f"The engine at {url} refuses the request: {problem}. {advice}")
        self.problem = problem


class RemoteBusyError(LlamaMCPError):
    """An engine takes no requests for a while."""

    def __init__(self, url: str, problem: str, waiting_seconds: float | None) -> None:
        """Take what it says.

        Args:
            url: the engine's.
            problem: its words.
            waiting_seconds: when it says to come back; None where it does not.
        """
        when = "later" if waiting_seconds is None else f"in {math.ceil(waiting_seconds)} s"
        super().__init__(
            f"The engine at {url} takes no requests now: {problem}. Call again {when}."
        )


class RemoteCannotRankError(CannotRankError):
    """An engine's model makes neither vectors nor scores."""

    def __init__(self, url: str, model: str) -> None:
        LlamaMCPError.__init__(
            self,
            f"The engine at {url} cannot rank: asked for them, {model} gives neither scores nor "
            "vectors. Name a model that ranks; for an engine that somebody else runs, only the "
            "operator can.",
        )
