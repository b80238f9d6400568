"""What can be wrong with a model."""

from llama_mcp.errors import LlamaMCPError


class ModelUnusableError(LlamaMCPError):
    """No file that llama-server could load is what a path or a name means."""

    def __init__(
        self, path: str, problem: str, advice: str, *, next_step: str | None = None
    ) -> None:
        self.path = path
        text = f"The model {path} cannot be used: {problem}. {advice}".rstrip()
        super().__init__(text, next_step=next_step)


class HeaderUnreadableError(LlamaMCPError):
    """A file has no header that can be read.

    Attributes:
        problem: why, in words that follow a colon.
    """

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(
            f"The header of {path} cannot be read: {problem}. Pass another model, or ask the user "
            "to download this one again."
        )
