"""What can go wrong with a job as a whole; what goes wrong with a piece is part of its result."""

from collections.abc import Sequence

from llama_mcp.errors import LlamaMCPError
from llama_mcp.wording import first_few

SHOWN = 3


class NothingToReadError(LlamaMCPError):
    """None of the files that were named can be read."""

    def __init__(self, left_out: Sequence[tuple[str, str]]) -> None:
        shown = first_few([f"{name}: {why}" for name, why in left_out], SHOWN, "; ")
        what = shown or "they name no file"
        super().__init__(
            f"None of the files can be read ({what}). Nothing was sent or kept. Name other files."
        )


class InstructionTooLongError(LlamaMCPError):
    """An instruction that leaves no room for a text."""

    next_step = "Shorten it, or {start} with a larger ctx_size, and {replace}."

    def __init__(self, tokens: int, window: int, reply: int) -> None:
        super().__init__(
            f"The instruction has {tokens} tokens; with {reply} for a reply it leaves too little "
            f"of the window's {window} for a text."
        )


class NoResultError(LlamaMCPError):
    """A job of which no piece has a result; of one with no piece, no file had a text."""

    def __init__(self, pieces: int, why: str) -> None:
        if not pieces:
            super().__init__(f"Nothing could be read: {why}")
        elif pieces == 1:
            super().__init__(f"The only piece has no result: {why}")
        else:
            super().__init__(f"None of the {pieces} pieces has a result. The first: {why}")


class NotPutTogetherError(LlamaMCPError):
    """Results of pieces that cannot become one."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The results of the pieces could not be put together: {why}")
