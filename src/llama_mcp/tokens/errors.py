"""What can be wrong with the operator's file of tokens."""

from collections.abc import Sequence
from pathlib import Path

from llama_mcp.errors import LlamaMCPError


class TokensFileError(LlamaMCPError):
    """The file of tokens cannot be used."""

    def __init__(self, file: Path, problems: Sequence[str]) -> None:
        """Take what is wrong.

        Args:
            file: the file.
            problems: everything that is wrong with it, with lines; no final stops.
        """
        self.file = file
        self.problems = tuple(problems)
        super().__init__(
            f"The file of tokens {file} cannot be used: {'; '.join(problems)}. Correct it; "
            "docs/http.md says what it holds."
        )


class OpenTokensFileError(LlamaMCPError):
    """Other users of the machine can read the file of tokens, or write to it."""

    def __init__(self, file: Path, problem: str) -> None:
        """Take the file, and what other users can do with it."""
        super().__init__(
            f"The file of tokens {file} is not used: {problem}. Run `chmod 600 {file}`, and make "
            "new tokens if somebody else may have changed it."
        )


class TokenNameError(LlamaMCPError):
    """A name for which there is an entry already, or none."""

    def __init__(self, name: str, file: Path, problem: str, known: Sequence[str]) -> None:
        """Take what was asked for, and the names that are there."""
        there = f"It has {', '.join(known)}." if known else "It has no entry."
        super().__init__(f"{name} {problem} in {file}. {there} Pass another name.")
