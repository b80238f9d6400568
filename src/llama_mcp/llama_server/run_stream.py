"""A stream of a run of ours: read by this process, and left to the keeper when it ends."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import anyio
import anyio.to_thread

from llama_mcp.keeper import run_dir
from llama_mcp.llama_server.api.chunks import StreamMark, chunks_of
from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.api.fields import count_or_none, member
from llama_mcp.llama_server.errors import CompletionError, LlamaServerLostError
from llama_mcp.llama_server.reply_stream import ReplyLostError
from llama_mcp.llama_server.runs.stream_files import StreamEnding, StreamFiles

# What became of a stream that nobody read to its end, by the keeper's word for it.
ENDINGS = {
    run_dir.UNWANTED: "nobody had been told to come back for the rest",
    run_dir.TIME: "nobody came for the rest within LLAMA_MCP_FINISH_SECONDS",
    run_dir.STOPPED: "llama-server was stopped before it was complete",
}
# A request that was sent by a process which then ended is read soon, or was not sent.
UNKNOWN_SECONDS = 3.0
UNKNOWN_POLL_SECONDS = 0.05
LOST = "llama-server does not have the rest of it"


class RunStream:
    """One stream; without a client, what the keeper has kept of one."""

    def __init__(
        self, run: str, files: StreamFiles, mark: StreamMark, client: LlamaServerClient | None
    ) -> None:
        self.run = run
        self.mark = mark
        self._files = files
        self._client = client
        # What the keeper has read since the mark.
        self.kept = b""
        self.ending: StreamEnding | None = None
        self._caught_up_at: int | None = None
        self._received = mark.byte
        # A turn may end while what it had before is noted. A note that came after the files are
        # removed would be a stream without a reader, for which the keeper keeps llama-server.
        self._one_at_a_time = anyio.Lock()
        self._is_left = False
        self._is_stopped = False

    @property
    def stream_id(self) -> str:
        """Whoever has it can read the stream."""
        return self.mark.stream_id

    @property
    def byte(self) -> int:
        """Where in it what was not taken yet begins."""
        return self.mark.byte

    @property
    def is_caught_up(self) -> bool:
        """Whether all has been read that there was when reading on began, and more is to come."""
        return self._caught_up_at is not None and self._received >= self._caught_up_at

    @property
    def is_told(self) -> bool:
        """Whether somebody was told to come back for it, as far as was noted."""
        return self._files.is_told()

    @asynccontextmanager
    async def read_on(self) -> AsyncIterator[AsyncIterator[Any]]:
        """Give the JSON of each chunk from the mark on: what the keeper has, then what comes."""
        self._received = self.mark.byte
        if self._client is None or self.ending is not None:
            yield self._chunks(self._pieces(None))
            return
        async with AsyncExitStack() as stack:
            live = await self._read_live(stack, self._client)
            yield self._chunks(self._pieces(live))

    async def _read_live(
        self, stack: AsyncExitStack, client: LlamaServerClient
    ) -> AsyncIterator[bytes]:
        first_byte = self.mark.byte + len(self.kept)
        try:
            known = await self._look_up(client)
            if not member(known, "is_done"):
                self._caught_up_at = count_or_none(member(known, "total_bytes"))
            return await stack.enter_async_context(client.read_stream(self.stream_id, first_byte))
        except LlamaServerLostError:
            raise
        except CompletionError as error:
            raise ReplyLostError(f"{LOST} ({error.problem})") from error

    async def _look_up(self, client: LlamaServerClient) -> Any:
        """Return what llama-server knows of it; it may not have read the request for it yet."""
        known = None
        with anyio.move_on_after(UNKNOWN_SECONDS):
            while (known := await client.look_up_stream(self.stream_id)) is None:
                await anyio.sleep(UNKNOWN_POLL_SECONDS)
        if known is None:
            raise ReplyLostError(LOST, was_never_begun=self._is_new)
        return known

    @property
    def _is_new(self) -> bool:
        return self.mark.byte == 0 and not self.kept

    async def _chunks(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        try:
            async for chunk in chunks_of(pieces, {}, self.mark):
                yield chunk
        except LlamaServerLostError as error:
            if self._client is None or self.ending is not None:
                raise self._why_lost() from error
            raise

    async def _pieces(self, live: AsyncIterator[bytes] | None) -> AsyncIterator[bytes]:
        # What is counted was taken: the reader asks for more.
        if self.kept:
            yield self.kept
            self._received += len(self.kept)
        if live is not None:
            async for piece in live:
                yield piece
                self._received += len(piece)

    def _why_lost(self) -> ReplyLostError:
        why = self.ending.why if self.ending else ""
        return ReplyLostError(
            ENDINGS.get(why, LOST),
            was_unwanted=why == run_dir.UNWANTED,
            was_never_begun=why in ("", run_dir.LOST) and self._is_new,
        )

    async def note_saved(self, byte: int, *, is_told: bool) -> None:
        """Write it down for the keeper; on a full disk what was noted last stays.

        Nothing is noted of a stream that was left or forgotten.
        """
        async with self._one_at_a_time:
            if not self._is_left:
                await self._do(lambda: self._files.note(byte, is_told=is_told))

    async def stop(self) -> None:
        """Have llama-server end it and forget what it holds of it; once is enough."""
        if self._client is not None and self.ending is None and not self._is_stopped:
            self._is_stopped = True
            await self._client.end_stream(self.stream_id)

    async def forget(self) -> None:
        """Remove its files: its reply is in the archive."""
        await self._let_go(self._files.remove)

    async def leave(self) -> None:
        """Let the keeper, or another process, read on."""
        await self._let_go(self._files.release)

    async def _let_go(self, work: Callable[[], None]) -> None:
        async with self._one_at_a_time:
            self._is_left = True
            await self._do(work)

    async def _do(self, work: Callable[[], None]) -> None:
        with suppress(OSError):
            await anyio.to_thread.run_sync(work)
