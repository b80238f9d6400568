"""What can be wrong with a model."""

from llama_mcp.errors import LlamaMCPError


class ModelUnusableError(LlamaMCPError):
    """A model file that llama-server could not load."""

    def __init__(self, path: str, problem: str, advice: str) -> None:
        self.path = path
        super().__init__(f"The model {path} cannot be used: {problem}. {advice}")
