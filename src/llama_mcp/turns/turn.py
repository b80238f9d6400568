"""One turn under way: from a message that is in the archive to a reply that is in it, too.

A turn is a task of the process, not of the request that began it. Callers come and go while
generation continues (following.py). What is received is saved about once a second while it streams,
and whole at the end, however the turn ends. Only then do callers hear that it is over.
"""

import logging
import time
from collections.abc import Sequence

import anyio

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.ready_server import ReadyServer
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.errors import ArchiveError
from llama_mcp.sessions.records import BegunTurn, TurnEnding, TurnStatus
from llama_mcp.turns import tracing
from llama_mcp.turns.cache_miss import ServingFacts, why_recomputed
from llama_mcp.turns.chat_request import ChatRequest, build_body
from llama_mcp.turns.errors import TurnFailedError
from llama_mcp.turns.following import Following
from llama_mcp.turns.json_schema import ParsedReply, parse_reply
from llama_mcp.turns.partial_reply import PartialReply
from llama_mcp.turns.prompt import ChatMessages, Prompt, fit_prompt
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
        self.following = Following(self.reply)
        self.is_saved = False
        self.error: LlamaMCPError | None = None
        self._begun = begun
        self._request = request
        self._server = server
        self._archive = archive
        self._queue = queue
        self._traces_content = traces_content
        self._first_turn_in_prompt = begun.first_turn_in_prompt
        # llama-server's prompt cache when this turn got its slot.
        self._cache_mark = 0
        self._scope = anyio.CancelScope()
        self._is_cancel_asked = False
        self._heard_at = time.monotonic()
        self._saved_tokens = 0
        # What the caller should know besides the reply.
        self._notes = list(notes)
        self._parsed = ParsedReply()
        self._result: ChatReply | None = None

    @property
    def is_over(self) -> bool:
        """Whether the reply is in the archive, or cannot be written to it."""
        return self.following.is_over

    @property
    def max_tokens(self) -> int | None:
        """The longest reply that the caller allows; None when there is no limit."""
        return self._request.sampling.max_tokens

    async def run(self) -> None:
        """Generate the reply and archive it. The turn is over when this returns or raises."""
        status = TurnStatus.INTERRUPTED
        try:
            with self._scope:
                status = await self._generate()
                if status is TurnStatus.COMPLETE:
                    if self._request.sampling.json_schema is not None:
                        await self.save()  # the check may take seconds
                    # A cancellation leaves this out, and the reply is complete all the same.
                    self._parsed = await parse_reply(self.reply.text, self._request.sampling)
            if status is TurnStatus.INTERRUPTED and self._is_cancel_asked:
                status = TurnStatus.CANCELLED
        finally:
            try:
                with anyio.CancelScope(shield=True):
                    await self._end(status)
            except Exception:
                # Callers that wait for this turn must hear of it, and other turns continue.
                logger.exception("Turn %s of session %s has no end", self.number, self.session_id)
                self.error = LlamaMCPError(BUG)
            finally:
                self.following.end()

    async def cancel(self) -> None:
        """Stop generating and wait until what was received is archived."""
        self._is_cancel_asked = not self.is_over
        self._scope.cancel()
        await self.following.wait_until_over()

    async def wait_if_cancelled(self) -> None:
        """Wait until the turn is over if a caller is cancelling it."""
        if self._is_cancel_asked:
            await self.following.wait_until_over()

    async def deliver(self) -> ChatReply:
        """Return the reply so far, saved: it is kept even if this process is killed right after.

        Raises:
            TurnFailedError: The turn broke off.
        """
        if self.is_over and self.error is not None:
            raise TurnFailedError(self.session_id, self.number, self.error, self.reply.text)
        reply = self.snapshot()
        await self.save()
        return reply

    async def save(self) -> None:
        """Write down what was received so far; a failure becomes a note of the reply."""
        if self.is_over or self.reply.generated == self._saved_tokens:
            return
        self._saved_tokens = self.reply.generated
        try:
            await self._archive.save_partial(
                self.session_id, self.number, self.reply.text, self.reply.reasoning
            )
        except ArchiveError as error:
            self._note_unsaved(error)

    def snapshot(self) -> ChatReply:
        """Return the reply so far."""
        return self._result or self._reply(TurnStatus.IN_PROGRESS)

    async def _generate(self) -> TurnStatus:
        status = TurnStatus.FAILED
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._save_regularly)
                with anyio.CancelScope() as stream:
                    tasks.start_soon(self._watch_for_silence, stream)
                    status = await self._stream()
                tasks.cancel_scope.cancel()
        except Exception:
            # A bug must end this turn only, not the server and every other turn.
            logger.exception("Turn %s of session %s failed", self.number, self.session_id)
            self.error = LlamaMCPError(BUG)
        return status

    async def _stream(self) -> TurnStatus:
        try:
            prompt = await self._fit()
            async with self._queue.slot(self._server.total_slots, self._note_place):
                await self._receive(prompt.messages)
        except LlamaMCPError as error:
            self.error = await self._server.explain_loss(error)
        else:
            return TurnStatus.COMPLETE
        return TurnStatus.FAILED

    async def _fit(self) -> Prompt:
        prompt = await fit_prompt(self._begun, self._request, self._server)
        if prompt.first_turn != self._first_turn_in_prompt:
            await self._archive.set_cut(self.session_id, prompt.first_turn)
            self._first_turn_in_prompt = prompt.first_turn
        return prompt

    async def _receive(self, messages: ChatMessages) -> None:
        sampling = self._request.sampling
        body = build_body(messages, sampling)
        with tracing.span_of_call(self.session_id, self._server, sampling) as span:
            try:
                async with self._server.stream_chat(body) as chunks:
                    async for chunk in chunks:
                        self.reply.take(chunk)
                        self._note_sign_of_life()
            finally:
                if span.is_recording():
                    tracing.note_reply(span, self.snapshot())
                    if self._traces_content:
                        tracing.note_content(span, messages, self.snapshot())

    async def _watch_for_silence(self, stream: anyio.CancelScope) -> None:
        self.error = await self._server.wait_until_silent(
            # Nothing comes while the turn waits for a slot.
            lambda: time.monotonic() if self.reply.queue_place else self._heard_at
        )
        stream.cancel()

    async def _save_regularly(self) -> None:
        while True:
            await anyio.sleep(SAVE_SECONDS)
            await self.save()

    def _note_place(self, place: int) -> None:
        self.reply.take_place(place)
        if not place:
            self._cache_mark = self._server.prompt_cache_mark()
        self._note_sign_of_life()

    def _note_sign_of_life(self) -> None:
        self._heard_at = time.monotonic()
        self.following.note_change()

    def _note_unsaved(self, error: ArchiveError) -> None:
        note = f"This reply is not saved: {error}"
        if note not in self._notes:
            logger.error("Session %s, turn %s: %s", self.session_id, self.number, error)
            self._notes.append(note)

    async def _end(self, status: TurnStatus) -> None:
        cache_miss = self._why_recomputed()
        result = self._reply(status, cache_miss)
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
            self._note_unsaved(error)
            result = self._reply(status, cache_miss)
        self._result = result

    def _reply(self, status: TurnStatus, cache_miss: str | None = None) -> ChatReply:
        facts = TurnFacts(
            session_id=self.session_id,
            turn=self.number,
            status=status,
            parsed=self._parsed,
            context_limit=self._server.slot_ctx_size,
            n_gpu_layers=self._server.n_gpu_layers,
            turns_dropped=self._first_turn_in_prompt - 1,
            cache_miss=cache_miss,
            notes=self._notes,
        )
        return reply_from(self.reply, facts)

    def _why_recomputed(self) -> str | None:
        kept = self._begun.cache
        serving = ServingFacts(
            run=self._server.serving_id,
            is_history_cut=self._first_turn_in_prompt != self._begun.first_turn_in_prompt,
            says_not_supported=not kept.is_first_turn
            and self._server.says_prompt_lost(self._cache_mark),
        )
        return why_recomputed(self.reply.usage(), kept, serving)
