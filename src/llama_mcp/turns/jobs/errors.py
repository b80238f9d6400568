"""What can go wrong with a job as a whole; what goes wrong with a piece is part of its result."""

from collections.abc import Sequence

from llama_mcp.errors import LlamaMCPError
from llama_mcp.wording import counted

SHOWN = 3


class NothingToReadError(LlamaMCPError):
    """None of the files that were named can be read."""

    def __init__(self, left_out: Sequence[tuple[str, str]]) -> None:
        shown = "; ".join(f"{name}: {why}" for name, why in left_out[:SHOWN])
        more = len(left_out) - SHOWN
        rest = f"; and {counted(more, 'other')}" if more > 0 else ""
        what = shown or "they name no file"
        super().__init__(
            f"None of the files can be read ({what}{rest}). Nothing was sent or kept. Name other "
            "files."
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
    """A job of which no piece has a result."""

    def __init__(self, pieces: int, first: str) -> None:
        which = "The only piece" if pieces == 1 else f"None of the {pieces} pieces"
        super().__init__(f"{which} has a result. {'It' if pieces == 1 else 'The first'}: {first}")


class NotPutTogetherError(LlamaMCPError):
    """Results of pieces that cannot become one."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The results of the pieces could not be put together: {why}")
