"""What can go wrong with an engine that somebody else runs."""

from llama_mcp.errors import LlamaMCPError


class KeyFileError(LlamaMCPError):
    """The file with an engine's key cannot be used. Neither text has anything of the key."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(
            f"The key for the engine cannot be read from {path}: {problem}. Only the operator can "
            "set that right; the file is read again with the next call."
        )


class RemoteUnreachableError(LlamaMCPError):
    """An engine does not answer."""

    next_step = "{Status} to see whether it answers again, then call again."

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(
            f"The engine at {url} was not reached: {problem}. Somebody else runs it; llama-mcp "
            "can neither start nor repair it."
        )


class RemoteRefusedError(LlamaMCPError):
    """An engine answers, and does not let itself be used as the operator has set it."""

    def __init__(self, url: str, problem: str, advice: str) -> None:
        super().__init__(f"The engine at {url} cannot be used: {problem}. {advice}")
