"""One turn under way: from a message that is in the archive to a reply that is, too.

A turn is a task of the process, not of the request that began it: callers come and go (`follow`),
and generation goes on. What is received is saved about once a second while it streams, and whole at
the end, however it ends; only then do callers hear of it.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence

import anyio

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.ready_server import ReadyServer
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.errors import ArchiveError
from llama_mcp.sessions.records import BegunTurn, TurnEnding, TurnStatus
from llama_mcp.turns import tracing
from llama_mcp.turns.cache_miss import ServingFacts, why_recomputed
from llama_mcp.turns.chat_request import ChatRequest, build_body
from llama_mcp.turns.context_window import ChatMessages
from llama_mcp.turns.partial_reply import PartialReply
from llama_mcp.turns.prompt import Prompt, fit_prompt
from llama_mcp.turns.reply import ChatReply
from llama_mcp.turns.reply_building import TurnFacts, reply_from
from llama_mcp.turns.slot_queue import SlotQueue

logger = logging.getLogger(__name__)

SAVE_SECONDS = 1.0
BUG = "an unexpected error inside llama-mcp; its log has the details"


class Turn:
    """A turn under way or just over."""

    def __init__(
        self,
        begun: BegunTurn,
        request: ChatRequest,
        server: ReadyServer,
        archive: Archive,
        queue: SlotQueue,
        notes: Sequence[str],
        *,
        traces_content: bool,
    ) -> None:
        self.session_id = begun.session.session_id
        self.number = begun.turn
        self.reply = PartialReply(model=server.model)
        self.max_tokens = request.sampling.max_tokens
        # How much of the reply callers have had as progress, so that the next one gets the rest.
        self.told_pieces = 0
        self._begun = begun
        self._request = request
        self._server = server
        self._archive = archive
        self._queue = queue
        self._traces_content = traces_content
        self._prompt: Prompt | None = None
        self._cache_miss: str | None = None
        # llama-server's prompt cache when this turn got its slot.
        self._cache_mark = 0
        self._scope = anyio.CancelScope()
        self._heard_at = time.monotonic()
        self._is_cancel_asked = False
        self._changes = 0
        self._saved_tokens = 0
        # Made only when somebody waits: it would cost more than the rest of a token's way.
        self._change: anyio.Event | None = None
        self._over = anyio.Event()
        # What the caller should know beside the reply.
        self._notes = list(notes)
        self.is_saved = False
        self.error: LlamaMCPError | None = None
        self.result: ChatReply | None = None

    @property
    def is_over(self) -> bool:
        """Tell whether the reply is in the archive, or has failed to get there."""
        return self._over.is_set()

    async def run(self) -> None:
        """Generate the reply and archive it; ends only with the turn over."""
        status = TurnStatus.INTERRUPTED
        try:
            with self._scope:
                status = await self._generate()
            if self._scope.cancelled_caught and self._is_cancel_asked:
                status = TurnStatus.CANCELLED
        finally:
            try:
                with anyio.CancelScope(shield=True):
                    await self._end(status)
            except Exception:
                # Whoever waits for this turn must hear of it, and all others go on.
                logger.exception("Turn %s of session %s has no end", self.number, self.session_id)
                self.error = LlamaMCPError(BUG)
            finally:
                self._over.set()
                self._wake()

    async def cancel(self) -> None:
        """Stop generating and wait until what was received is archived."""
        self._is_cancel_asked = not self.is_over
        self._scope.cancel()
        await self._over.wait()

    async def wait_if_cancelled(self) -> None:
        """Wait until the turn is over when somebody is cancelling it."""
        if self._is_cancel_asked:
            await self._over.wait()

    async def follow(
        self, seconds: float, report: Callable[[PartialReply], Awaitable[float]]
    ) -> None:
        """Report what arrives until the turn is over or so many seconds have passed.

        Args:
            seconds: how long.
            report: called after changes; returns after how many seconds it wants to be called
                again, when that was too soon.
        """
        reported = -1
        with anyio.move_on_after(seconds):
            while not self.is_over:
                if reported == self._changes:
                    await self._wait_for_change()
                reported = self._changes
                if early_seconds := await report(self.reply):
                    reported = -1
                    with anyio.move_on_after(early_seconds):
                        # The first token is not put off; waking for the others would be in vain.
                        begun = self.reply.generated > 0
                        await (self._over.wait() if begun else self._wait_for_change())

    async def save(self) -> None:
        """Write down what was received so far; a failure is noted in the reply."""
        if self.is_over or self.reply.generated == self._saved_tokens:
            return
        self._saved_tokens = self.reply.generated
        try:
            await self._archive.save_partial(
                self.session_id, self.number, self.reply.text, self.reply.reasoning
            )
        except ArchiveError as error:
            self._say_unsaved(error)

    def snapshot(self) -> ChatReply:
        """Return the reply as far as it has come."""
        if self.result is not None:
            return self.result
        return self._reply(TurnStatus.IN_PROGRESS)

    async def _generate(self) -> TurnStatus:
        status = TurnStatus.FAILED
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._save_now_and_then)
                with anyio.CancelScope() as stream:
                    tasks.start_soon(self._watch_for_silence, stream)
                    status = await self._stream()
                tasks.cancel_scope.cancel()
        except Exception:
            # A bug must end this turn, not the server and every other turn with it.
            logger.exception("Turn %s of session %s failed", self.number, self.session_id)
            self.error = LlamaMCPError(BUG)
        return status

    async def _stream(self) -> TurnStatus:
        try:
            await self._fit()
            async with self._queue.slot(self._server.total_slots, self._tell_place):
                await self._receive(self._prompt.messages if self._prompt else [])
        except LlamaMCPError as error:
            self.error = await self._server.explain_loss(error)
        else:
            return TurnStatus.COMPLETE
        return TurnStatus.FAILED

    async def _receive(self, messages: ChatMessages) -> None:
        sampling = self._request.sampling
        body = build_body(messages, sampling)
        with tracing.span_of_call(self.session_id, self._server, sampling) as span:
            try:
                async with self._server.stream_chat(body) as chunks:
                    async for chunk in chunks:
                        self.reply.take(chunk)
                        self._heard_at = time.monotonic()
                        self._wake()
            finally:
                if span.is_recording():
                    tracing.note_reply(span, self.snapshot())
                    if self._traces_content:
                        tracing.note_content(span, messages, self.snapshot())

    async def _watch_for_silence(self, stream: anyio.CancelScope) -> None:
        self.error = await self._server.wait_until_silent(
            # In the queue nothing is to be heard.
            lambda: time.monotonic() if self.reply.queue_place else self._heard_at
        )
        stream.cancel()

    def _tell_place(self, place: int) -> None:
        self.reply.take_place(place)
        if not place:
            self._cache_mark = self._server.prompt_cache_mark()
        self._heard_at = time.monotonic()
        self._wake()

    async def _fit(self) -> None:
        prompt = await fit_prompt(self._begun, self._request, self._server)
        if prompt.first_turn != self._begun.first_turn_in_prompt:
            await self._archive.set_cut(self.session_id, prompt.first_turn)
        self._prompt = prompt

    async def _save_now_and_then(self) -> None:
        while True:
            await anyio.sleep(SAVE_SECONDS)
            await self.save()

    async def _end(self, status: TurnStatus) -> None:
        self._cache_miss = self._why_recomputed()
        result = self._reply(status)
        ending = TurnEnding(
            status=status,
            reply=result.reply,
            reasoning=result.reasoning,
            model=self.reply.model,
            finish_reason=result.finish_reason,
            usage=result.usage,
            timing=result.timing,
            receipt=result.receipt,
            context_tokens=result.context.tokens_used,
            notes=tuple(result.notes),
            error=str(self.error) if self.error else None,
        )
        try:
            await self._archive.end_turn(self.session_id, self.number, ending)
            self.is_saved = True
        except ArchiveError as error:
            self._say_unsaved(error)
            result = self._reply(status)
        self.result = result

    def _reply(self, status: TurnStatus) -> ChatReply:
        facts = TurnFacts(
            session_id=self.session_id,
            turn=self.number,
            status=status,
            sampling=self._request.sampling,
            context_limit=self._server.slot_ctx_size,
            n_gpu_layers=self._server.n_gpu_layers,
            turns_dropped=self._prompt.turns_dropped if self._prompt else 0,
            cache_miss=self._cache_miss,
            notes=self._notes,
        )
        return reply_from(self.reply, facts)

    def _why_recomputed(self) -> str | None:
        kept = self._begun.cache
        first_turn = self._begun.first_turn_in_prompt
        return why_recomputed(
            self.reply.usage(),
            kept,
            ServingFacts(
                run=self._server.serving_id,
                is_history_cut=bool(self._prompt and self._prompt.first_turn != first_turn),
                says_not_supported=not kept.is_first_turn
                and self._server.says_prompt_lost(self._cache_mark),
            ),
        )

    def _say_unsaved(self, error: ArchiveError) -> None:
        note = f"This reply is not saved: {error}"
        if note not in self._notes:
            logger.error("Session %s, turn %s: %s", self.session_id, self.number, error)
            self._notes.append(note)

    def _wake(self) -> None:
        self._changes += 1
        if self._change is not None:
            self._change.set()
            self._change = None

    async def _wait_for_change(self) -> None:
        if self._change is None:
            self._change = anyio.Event()
        await self._change.wait()
