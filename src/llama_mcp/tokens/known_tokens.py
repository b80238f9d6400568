"""The tokens that are good now: the file is read again when it has changed."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

import anyio
import anyio.to_thread

from llama_mcp.callers import Caller
from llama_mcp.errors import LlamaMCPError
from llama_mcp.tokens.entry import MAX_TOKEN_CHARACTERS, TokenEntry, digest_of, entry_of
from llama_mcp.tokens.reading import Stamp, read_tokens, stamp_of

logger = logging.getLogger(__name__)

# How long a token may still be good that was taken out of the file.
LOOK_SECONDS = 0.5

OnGone = Callable[[frozenset[bytes]], object]


class KnownTokens:
    """The entries of the operator's file, as they were when it was last whole."""

    def __init__(self, file: Path) -> None:
        """Read the file, whose path is absolute; raises as `read_tokens` does."""
        self._file = file
        self._stamp: Stamp | None = stamp_of(file)
        self._entries: tuple[TokenEntry, ...] = read_tokens(file)
        self.problem: str | None = None
        """What is wrong with the file since it was last read; its entries of before count then."""

    def caller_of(self, token: str) -> tuple[Caller, bytes] | None:
        """Return who has the token, and by what it is known; None when nobody has."""
        if len(token) > MAX_TOKEN_CHARACTERS:
            return None
        digest = digest_of(token)
        entry = entry_of(digest, self._entries)
        return None if entry is None else (entry.caller, digest)

    async def watch(self, on_gone: OnGone) -> None:
        """Read the file again whenever it has changed, until it is cancelled.

        Args:
            on_gone: is told the hashes of tokens that are good no longer.
        """
        while True:
            await anyio.sleep(LOOK_SECONDS)
            stamp = await anyio.to_thread.run_sync(stamp_of, self._file, abandon_on_cancel=True)
            if stamp == self._stamp:
                continue
            self._stamp = stamp
            try:
                entries = await anyio.to_thread.run_sync(
                    read_tokens, self._file, abandon_on_cancel=True
                )
            except LlamaMCPError as error:
                self.problem = str(error)
                logger.error("The tokens of before stay good. %s", error)
                continue
            self.problem = None
            gone = _digests(self._entries) - _digests(entries)
            self._entries = entries
            logger.info("The file of tokens was read again: %d entries.", len(entries))
            on_gone(gone)


def _digests(entries: Iterable[TokenEntry]) -> frozenset[bytes]:
    return frozenset(digest for entry in entries for digest in entry.digests)
