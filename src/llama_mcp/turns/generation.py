"""What llama-server generates for one turn: its prompt, a slot, the stream, and its silence."""

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.ready_server import ReadyServer
from llama_mcp.llama_server.reply_stream import ReplyLostError, ReplyStream
from llama_mcp.llama_server.restored_prompt import RestoredPrompt
from llama_mcp.sessions.begun_turns import MOST_OTHER_SESSIONS
from llama_mcp.sessions.left_turns import StreamPoint
from llama_mcp.turns import tracing
from llama_mcp.turns.chat_request import build_body
from llama_mcp.turns.going_on.adoption import TurnState, state_text
from llama_mcp.turns.going_on.continuation import prompt_for_rest
from llama_mcp.turns.prompt import Prompt, fit_prompt
from llama_mcp.turns.receiving import why_broken_off
from llama_mcp.turns.replies.cache_miss import (
    UNKNOWN,
    ServingFacts,
    pushed_out_by,
    why_recomputed,
)
from llama_mcp.turns.replies.partial_reply import PartialReply
from llama_mcp.turns.replies.reply import ChatReply
from llama_mcp.turns.restoring import PromptRestoring
from llama_mcp.turns.second_try import SecondTry
from llama_mcp.turns.slot_queue import Place
from llama_mcp.turns.turn_parts import TurnParts


class Generation:
    """One turn with llama-server, in which its reply grows."""

    def __init__(
        self,
        parts: TurnParts,
        reply: PartialReply,
        on_growth: Callable[[], None],
        snapshot: Callable[[], ChatReply],
        turn_notes: Sequence[str],
    ) -> None:
        self.prompt: Prompt | None = None
        left = parts.left
        self.stream = left.stream if left else None
        """The last stream of this turn that goes on without its reader."""
        self.is_told = left is not None and left.is_told
        """Whether somebody was told to come back for the reply."""
        self.first_turn_in_prompt = (left or parts.begun).first_turn_in_prompt
        self.model_ctx_size: int | None = None
        """How long a context the model was trained for; known when the window is full."""
        self._parts = parts
        self._server = parts.server
        self._session_id = parts.begun.session.session_id
        self._reply = reply
        # The reply that is coming: the turn's, or a second try at it.
        self._receiving = reply
        # What asks for the rest of a reply that broke off.
        self._rest = parts.reopened.rest if parts.reopened else None
        self._on_growth = on_growth
        self._snapshot = snapshot
        self._turn_notes = turn_notes
        # llama-server's prompt cache when this turn got its slot.
        self._cache_mark = left.cache_mark if left else 0
        # Until the stream that another process has left is read.
        self._is_left = left is not None
        self._is_sent = False
        # How much of it the archive has, and what of that the keeper knows.
        self._saved_byte = left.stream.byte if left else 0
        self._noted: tuple[int, bool] | None = None
        self._restoring = PromptRestoring(parts.begun, parts.archive)
        self._second_try: SecondTry | None = None
        self._heard_at = time.monotonic()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the caller should know of the prompt."""
        return self.prompt.notes if self.prompt else ()

    def use(self, server: ReadyServer) -> None:
        """Take the llama-server that has got ready for the turn."""
        self._server = server

    async def prompt_with(self, server: ReadyServer) -> Prompt:
        """Return what was sent; where another process did that, what it has sent.

        Raises:
            LlamaMCPError: the llama-server, which counts tokens, does not answer.
        """
        return self.prompt or await fit_prompt(self._parts.begun, self._parts.request, server)

    async def run(self) -> LlamaMCPError | None:
        """Generate the reply and return why it broke off; None when it is complete."""
        # Nothing comes while the turn waits for a slot.
        return await why_broken_off(
            self._server,
            self._stream,
            lambda: time.monotonic() if self._reply.queue_place else self._heard_at,
        )

    async def run_again(self, second_try: SecondTry) -> LlamaMCPError | None:
        """Generate a second try at the reply, and return why it broke off."""
        self._second_try, self._rest = second_try, None
        self._receiving, self._heard_at = second_try.reply, time.monotonic()
        return await self.run()

    async def go_on(self, server: ReadyServer, prompt: Prompt) -> LlamaMCPError | None:
        """Generate the rest of the reply with a llama-server, and return why it broke off."""
        self._server, self._rest, self._heard_at = server, prompt, time.monotonic()
        return await self.run()

    @property
    def is_second_try(self) -> bool:
        """Whether a second try at the reply is being generated, of which no text is saved."""
        return self._second_try is not None

    @property
    def can_be_left(self) -> bool:
        """Whether another process can go on with the turn: read on, or send what was not sent."""
        is_unsent = not self._is_sent and self._parts.begun.stream_id is not None
        return self.stream is not None or is_unsent

    @property
    def is_caught_up(self) -> bool:
        """Whether a reply that is read on has all that had come before, and more is to come."""
        return self._is_sent or (self.stream is not None and self.stream.is_caught_up)

    def point(self) -> StreamPoint | None:
        """Return where another process can read on with what has come; None when none can."""
        if self.stream is None:
            return None
        state = TurnState(
            notes=(*self._turn_notes, *self.notes),
            cache=self._parts.begun.cache,
            cache_mark=self._cache_mark,
            first_turn_before=self._parts.begun.first_turn_in_prompt,
            is_second_try=self.is_second_try,
        )
        byte = 0 if self.is_second_try else self.stream.byte
        text = state_text(self._reply, state)
        return StreamPoint(self.stream.stream_id, self.stream.run, byte, text)

    async def note_saved(self, point: StreamPoint | None = None) -> None:
        """Let the keeper know how much the archive has, and whether somebody may come back."""
        self._saved_byte = point.byte if point else self._saved_byte
        noted = (self._saved_byte, self.is_told)
        if self.stream is not None and noted != self._noted:
            self._noted = noted
            await self.stream.note_saved(self._saved_byte, is_told=self.is_told)

    async def stop(self) -> None:
        """Stop what llama-server generates, if it does so without its reader."""
        if self.stream is not None:
            await self.stream.stop()

    async def close(self, *, is_saved: bool) -> None:
        """Let go of the stream, because the turn is over; one that is not saved can be read on."""
        if self.stream is not None and is_saved:
            await self.stream.stop()
            await self.stream.forget()
        elif self.stream is not None:
            await self.stream.leave()
        self._parts, self.prompt, self._rest = self._parts.without_contents(), None, None

    async def why_recomputed(self) -> str | None:
        """Return why more than half of the prompt was read again, if it was."""
        kept = self._parts.begun.cache
        serving = ServingFacts(
            run=self._server.serving_id,
            model=self._server.model,
            restore=self._reply.restored.get("restore"),
            is_history_cut=self.first_turn_in_prompt != self._parts.begun.first_turn_in_prompt,
            says_not_supported=not kept.is_first_turn
            and self._server.says_prompt_lost(self._cache_mark),
        )
        cause = why_recomputed(self._reply.usage(), kept, serving)
        return await self._pushed_out() if cause == UNKNOWN else cause

    async def _pushed_out(self) -> str:
        archive, turn = self._parts.archive, self._parts.begun.turn
        try:
            others = await archive.count_other_sessions(self._session_id, turn)
        except LlamaMCPError:  # the end of the turn says what is wrong with the archive
            return UNKNOWN
        return pushed_out_by(others, MOST_OTHER_SESSIONS)

    async def _stream(self) -> None:
        if self._is_left and self.stream is not None:
            self._is_left = False
            try:
                await self._read_on(self.stream)
                return
            except ReplyLostError as lost:
                # Its process ended before it had asked: it is asked for now, if somebody waits.
                is_asked_for = self._parts.left is not None and self._parts.left.is_asked_for
                if not (lost.was_never_begun and is_asked_for and self._server.total_slots):
                    raise
                if self._reply.text and self._second_try is None:
                    await self._ask_for_rest_only(lost)
        prompt = self.prompt = self.prompt or await self._fit()
        if self._second_try is not None:
            prompt = replace(prompt, messages=self._second_try.messages(prompt.messages))
        slots, queue = self._server.total_slots, self._parts.queues.of(self._server.serving_id)
        owner = self._parts.begun.owner
        async with queue.slot(self._session_id, slots, self._note_place, owner=owner):
            await self._receive(self._rest or prompt)
        if self._rest is None and self._second_try is None:
            known, reader = self._parts.known_prompts, self._server.serving_id
            known.note(
                self._session_id, reader, prompt.messages, prompt.sampling, self._reply.usage_chunk
            )
        if self._has_filled_window():
            self.model_ctx_size = await self._server.model_ctx_size()

    async def _ask_for_rest_only(self, lost: ReplyLostError) -> None:
        self.prompt = await self._fit()
        self._rest = await prompt_for_rest(self.prompt, self._reply, self._server)
        if self._rest is None:
            raise lost  # all of it would follow what has come
        self._reply.go_on()

    async def _fit(self) -> Prompt:
        known = self._parts.known_prompts.of(self._session_id, self._server.serving_id)
        prompt = await fit_prompt(self._parts.begun, self._parts.request, self._server, known)
        if prompt.first_turn != self.first_turn_in_prompt:
            await self._parts.archive.set_cut(self._session_id, prompt.first_turn)
            self.first_turn_in_prompt = prompt.first_turn
        self._reply.max_tokens = prompt.sampling.max_tokens
        self._reply.models_system_prompt = prompt.models_system_prompt
        return prompt

    async def _receive(self, prompt: Prompt) -> None:
        body = build_body(prompt.messages, prompt.sampling)
        async with self._restoring.restored(self._server, body, self._reply) as restored:
            await self._ask(prompt, body, restored)

    async def _ask(
        self, prompt: Prompt, body: Mapping[str, Any], restored: RestoredPrompt | None
    ) -> None:
        messages, sampling = prompt.messages, prompt.sampling
        await self._open_stream()
        with tracing.span_of_call(self._session_id, self._server, sampling) as span:
            try:
                async with self._server.stream_chat(body, self.stream) as chunks:
                    await self._take(chunks, restored)
            finally:
                if span.is_recording():
                    tracing.note_reply(span, self._snapshot())
                    if self._parts.traces_content:
                        tracing.note_content(span, messages, self._snapshot())

    async def _read_on(self, stream: ReplyStream) -> None:
        async with stream.read_on() as chunks:
            await self._take(chunks)
        if self._has_filled_window():
            self.model_ctx_size = await self._server.model_ctx_size()

    async def _take(
        self, chunks: AsyncIterator[Any], restored: RestoredPrompt | None = None
    ) -> None:
        async for chunk in chunks:
            if restored is not None:
                restored.let_go()
            self._receiving.take(chunk)
            self._note_sign_of_life()

    async def _open_stream(self) -> None:
        """Let the reply go on when this process ends, where llama-server can."""
        before, begun, self.stream = self.stream, self._parts.begun, None
        stream_id = await self._server.new_stream_id()
        self._is_sent = True
        if stream_id is not None:
            stream_id = stream_id if before else begun.stream_id or stream_id
            is_told = self.is_told
            self.stream = await self._server.open_stream(stream_id, is_told=is_told)
            self._saved_byte, self._noted = 0, (0, is_told)
            await self.note_saved()  # somebody may have been told meanwhile
        if before is not None or stream_id != begun.stream_id:
            texts = self._reply.text, self._reply.reasoning
            archive = self._parts.archive
            await archive.save_partial(self._session_id, begun.turn, *texts, self.point())
        if before is not None:
            await before.forget()

    def _has_filled_window(self) -> bool:
        used = self._snapshot().context.tokens_used or 0
        return self._reply.finish_reason == "length" and used >= self._server.slot_ctx_size

    def _note_place(self, place: Place | None) -> None:
        self._reply.take_place(place)
        if place is None:
            self._cache_mark = self._server.prompt_cache_mark()
        self._note_sign_of_life()

    def _note_sign_of_life(self) -> None:
        self._heard_at = time.monotonic()
        self._on_growth()
