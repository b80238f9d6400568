"""A reply that llama-server goes on with when its reader is gone, as a turn sees it."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from llama_mcp.errors import LlamaMCPError


class StreamPlace(Protocol):
    """Where a reply can be read on."""

    @property
    def stream_id(self) -> str:
        """By which llama-server knows it."""

    @property
    def run(self) -> str:
        """The launch of llama-server that generates it."""

    @property
    def byte(self) -> int:
        """Where in it what was not taken yet begins."""


class ReplyStream(StreamPlace, Protocol):
    """A reply that llama-server goes on with when its reader is gone, until it is stopped."""

    @property
    def is_caught_up(self) -> bool:
        """Whether all has been read that there was when reading on began, and more is to come."""

    @property
    def is_told(self) -> bool:
        """Whether somebody was told to come back for it, as far as was noted."""

    def read_on(self) -> AbstractAsyncContextManager[AsyncIterator[Any]]:
        """Give the JSON of each chunk from its byte on, as stream_chat does.

        Raises:
            LlamaMCPError: as stream_chat; ReplyLostError when it was ended, or is not known.
        """

    async def note_saved(self, byte: int, *, is_told: bool) -> None:
        """Say up to which byte the archive has it, and whether somebody may come back for it."""

    async def stop(self) -> None:
        """Stop generating it, if it is not over."""

    async def forget(self) -> None:
        """Let go of it: its reply is in the archive."""

    async def leave(self) -> None:
        """Leave it to whoever reads on."""


class ReplyLostError(LlamaMCPError):
    """A reply whose reader was gone, and that cannot be read to its end."""

    next_step = "{Chat}: ask the model to go on, or ask again."

    def __init__(
        self, why: str, *, was_unwanted: bool = False, was_never_begun: bool = False
    ) -> None:
        """Take what became of it.

        Args:
            why: what happened, a clause.
            was_unwanted: it was ended because nobody would have come back for it.
            was_never_begun: llama-server was never asked for it.
        """
        self.was_unwanted = was_unwanted
        self.was_never_begun = was_never_begun
        super().__init__(
            f"The llama-mcp process that was receiving this reply ended before the reply did, and "
            f"{why}. What had come is kept."
        )
