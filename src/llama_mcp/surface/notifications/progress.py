"""Progress notifications: always rising, and only for callers that ask.

At most one every 50 ms, but for what nobody should wait for: that generation has begun, the first
text, and the end of the text.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import anyio
from mcp.server.mcpserver import Context

from llama_mcp.llama_server.ready_server import ModelLoad
from llama_mcp.services import Services
from llama_mcp.sessions.texts import clean_text
from llama_mcp.surface.results.files import progress_line
from llama_mcp.turns.following import Stage, stage_of
from llama_mcp.turns.replies.partial_reply import PartialReply
from llama_mcp.turns.replies.reply_line import line_of
from llama_mcp.visible_text import visible_line

if TYPE_CHECKING:
    from llama_mcp.turns.jobs.job import Job

MIN_INTERVAL_SECONDS = 0.05
# A job says the same for a long time: only that it goes on.
SAME_LINE_SECONDS = 1.0
# While a model loads progress is below 1, which is the first token; half of that after a minute.
HALF_LOAD_SECONDS = 60.0
# Six bytes each at most; a client that reads slowly lets a reply of any length come together.
MAX_MESSAGE_CHARACTERS = 1_000_000
# The TypeScript SDKs drop progress that they read together with its result (v1 and v2 in 2026: the
# result removes the handler before queued progress is handled).
BEFORE_RESULT_SECONDS = 0.001
Stream = Literal["chunks", "status", "off"]
# Leaves out of a line of ours what its caller may not see.
Told = Callable[[str], str]


class RisingProgress:
    """Sends progress for one request; a value that does not rise is not sent."""

    def __init__(self, ctx: Context[Services], told: Told = str) -> None:
        self._ctx = ctx
        self._told = told
        self.last = 0.0

    async def report_seconds(self, seconds: float, message: str) -> None:
        """Report how many seconds something has been going on."""
        await self.report(
            max(round(seconds, 3), self.last + 0.001),
            None,
            visible_line(clean_text(self._told(message))),
        )

    async def report(self, value: float, total: float | None, message: str | None) -> bool:
        """Report a value if it has risen; tell whether it was sent. The text is valid Unicode."""
        if value <= self.last:
            return False
        self.last = value
        await self._ctx.report_progress(value, total, message or None)
        return True


class ReplyProgress:
    """Sends a reply as it grows, in the way that the caller chose.

    With `chunks` the messages, joined, are exactly the text from first_piece on.
    """

    def __init__(
        self, ctx: Context[Services], stream: Stream, first_piece: int = 0, told: Told = str
    ) -> None:
        self._progress = RisingProgress(ctx)
        self._told = told
        self._stream = stream
        self.sent_pieces = first_piece
        self._sent_at = anyio.current_time()
        self._sent_stage = Stage.AWAITED
        self._line = ""

    async def report(self, reply: PartialReply) -> float:
        """Send what is new and return 0; if it is too soon, return how many seconds too soon.

        The clock starts with the call, so that a short prompt is read without a word. What has got
        to another stage since is never too soon.
        """
        if self._stream == "off":
            return 0.0
        early_seconds = self._sent_at + MIN_INTERVAL_SECONDS - anyio.current_time()
        if early_seconds > 0 and stage_of(reply) <= self._sent_stage:
            return early_seconds
        await self.flush(reply)
        return 0.0

    async def tell_wait(self, wait: ModelLoad) -> None:
        """Send that the call waits for something before its turn begins."""
        await self.report(PartialReply(model="", load=wait))

    async def flush(self, reply: PartialReply) -> None:
        """Send what is new at once; to be called when the reply is over."""
        if self._stream == "off":
            return
        self._sent_stage = stage_of(reply)
        pieces = len(reply.pieces)
        if self._stream == "chunks":
            message = "".join(reply.pieces[self.sent_pieces : pieces])
        else:
            message = self._told(line_of(reply))
        total = reply.prompt_total
        if total is not None:
            total = total + reply.max_tokens if reply.max_tokens else None
        value: float = reply.tokens_handled
        if reply.load:
            value = reply.load.seconds / (reply.load.seconds + HALF_LOAD_SECONDS)
        elif self._stream == "status" and message != self._line:
            # A line without a token handled, such as a place in the queue, still has to rise.
            value = max(value, self._progress.last + 0.001)
            self._line = message
        if await self._send(value, total, message):
            self.sent_pieces = pieces
            self._sent_at = anyio.current_time()

    async def settle(self) -> None:
        """Wait until a result can follow what was sent; mostly archiving has taken that long."""
        left_seconds = self._sent_at + BEFORE_RESULT_SECONDS - anyio.current_time()
        if self._progress.last and left_seconds > 0:
            await anyio.sleep(left_seconds)

    async def _send(self, value: float, total: float | None, message: str) -> bool:
        """Report a value with a message, in as many notifications as it needs."""
        last, was_sent = self._progress.last, False
        for start in range(0, len(message) or 1, MAX_MESSAGE_CHARACTERS):
            end = start + MAX_MESSAGE_CHARACTERS
            share = min(1.0, end / (len(message) or 1))
            so_far = value if share == 1 else last + (value - last) * share
            was_sent = await self._progress.report(so_far, total, message[start:end] or None)
        return was_sent


class JobProgress:
    """Sends how far a job is: pieces that are over, and a line for a person."""

    def __init__(self, ctx: Context[Services], told: Told = str) -> None:
        self._progress = RisingProgress(ctx)
        self._told = told
        self._sent_at = anyio.current_time()
        self._line = ""

    async def tell_wait(self, wait: ModelLoad) -> None:
        """Send that the call waits for something before its job begins."""
        if anyio.current_time() - self._sent_at >= SAME_LINE_SECONDS:
            line = visible_line(clean_text(self._told(wait.line)))
            if await self._progress.report(self._progress.last + 0.001, None, line):
                self._sent_at, self._line = anyio.current_time(), line

    async def report(self, job: "Job") -> float:
        """Send what is new and return 0; if it is too soon, return how many seconds too soon."""
        early_seconds = self._sent_at + MIN_INTERVAL_SECONDS - anyio.current_time()
        if early_seconds > 0:
            return early_seconds
        state = job.state
        value, line = job.value, progress_line(state)
        total = state.planned if state.is_planned else None
        if job.reply.is_waiting:
            # Nothing is done meanwhile, and a line still has to rise.
            value, total, line = self._progress.last + 0.001, None, self._told(line_of(job.reply))
        early_seconds = self._sent_at + SAME_LINE_SECONDS - anyio.current_time()
        if line == self._line and early_seconds > 0:
            # Another line does not wait for so long.
            return min(early_seconds, MIN_INTERVAL_SECONDS)
        if await self._progress.report(value, total, visible_line(clean_text(line))):
            self._sent_at, self._line = anyio.current_time(), line
        return 0.0
