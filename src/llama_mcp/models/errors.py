"""What can be wrong with a model."""

from collections.abc import Sequence
from pathlib import Path

from llama_mcp.errors import LlamaMCPError
from llama_mcp.visible_text import visible_line
from llama_mcp.wording import first_few

_SHOWN_PROBLEMS = 20


class ModelUnusableError(LlamaMCPError):
    """No file that llama-server could load is what a path or a name means.

    Attributes:
        path: the path or the name.
        problem: why, in words that follow a colon.
    """

    def __init__(
        self, path: str, problem: str, advice: str, *, next_step: str | None = None
    ) -> None:
        self.path = path
        self.problem = problem
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


class ModelsFileError(LlamaMCPError):
    """The operator's file of named models cannot be read, or is wrong."""

    discreet = (
        "The operator's file of models is wrong. Ask the operator to set it right; until then no "
        "model can be named."
    )

    def __init__(self, file: Path, problems: Sequence[str]) -> None:
        """Take what is wrong.

        Args:
            file: it.
            problems: everything that is wrong with it, each with its line where it has one.
        """
        self.file = file
        self.problems = tuple(problems)
        told = first_few(self.problems, _SHOWN_PROBLEMS, "; ")
        super().__init__(
            f"The file of models {visible_line(str(file))}, which LLAMA_MCP_MODELS names, is "
            f"wrong: {told}. Ask the user to set it right; it is read again when it has changed. "
            "Until then a model is given by the whole path of its file."
        )
