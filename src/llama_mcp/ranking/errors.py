"""What can be wrong with a ranking."""

from llama_mcp.errors import LlamaMCPError
from llama_mcp.wording import counted


class NothingToRankError(LlamaMCPError):
    """There is no text to be ranked."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"Nothing was ranked: {problem}. Pass texts, or files that hold some.")


class NoScoresError(LlamaMCPError):
    """The model gave nothing that can be compared."""

    def __init__(self, model: str, what: str) -> None:
        super().__init__(
            f"{model} gave no usable numbers for {what}, which happens when a GGUF file is damaged "
            "or its pooling is not the one that it was trained with. Pass another model, or ask "
            "the user to download this one again."
        )


_LESS = "Pass fewer or shorter texts, or ask the user for a larger LLAMA_MCP_WAIT_SECONDS."


class RankTookTooLongError(LlamaMCPError):
    """The time of a call was over before everything had been read."""

    next_step = "Call again with the same arguments: it goes on from there."

    def __init__(self, seconds: float, done: int, why_not_kept: str) -> None:
        """Take how far it came.

        Args:
            seconds: of LLAMA_MCP_WAIT_SECONDS, when it was ended.
            done: how many texts or pieces had been read.
            why_not_kept: why the same call again would come no further, a clause; empty when all
                that was read is kept.
        """
        have = counted(done, "text or piece has", "texts or pieces have")
        super().__init__(
            f"Ranking was ended after {seconds:.0f} s, with LLAMA_MCP_WAIT_SECONDS over: "
            f"{have} been read, and {why_not_kept or 'that is kept'}.",
            next_step=_LESS if why_not_kept else None,
        )


class StillLoadingForRankError(LlamaMCPError):
    """The time of a call was over before its model had loaded."""

    next_step = "{Status} to see how far it is, then call again."

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The model is not loaded after {seconds:.0f} s (LLAMA_MCP_WAIT_SECONDS), and loading "
            "goes on. Nothing was ranked yet."
        )
