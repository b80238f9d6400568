"""One reply by an engine: asked for in the words that it takes, and received with figures of ours.

What it refuses for reasons that pass is asked for again, within a bound; a field that it does not
know is left out, once and for all.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any

import anyio

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.api.fields import count_or_none, member
from llama_mcp.llama_server.ready_server import PromptTooLongError
from llama_mcp.llama_server.remote.access import Access
from llama_mcp.llama_server.remote.bodies import body_for, can_be_left_out, left_out_note
from llama_mcp.llama_server.remote.counting import counting_of
from llama_mcp.llama_server.remote.errors import RemoteBusyError, RemoteLostError
from llama_mcp.llama_server.remote.wire.chunks import (
    BrokenStreamError,
    RefusedInStreamError,
    chunks_in,
)
from llama_mcp.llama_server.remote.wire.http import RefusedError
from llama_mcp.llama_server.remote.wire.refusals import Refusal

CHAT = "/v1/chat/completions"
SESSION_HEADER = "X-Session-Id"
# How long a reply waits for an engine that asks for patience; then its caller hears when to come.
MOST_WAITING_SECONDS = 20.0
# An engine that says no time is asked again after so long, and after twice that.
FIRST_WAIT_SECONDS = 2.0
# So often a wait counts as a sign of life.
_LIFE_SECONDS = 0.5
# A field each; no engine has refused as many.
MOST_TRIES = 8
# What follows the end of a text are figures, which come at once.
_FIGURES_SECONDS = 5.0
# The end of an answer comes with its last line, or with the end of the connection.
_END_SECONDS = 0.05


class Chat:
    """One request for a reply."""

    def __init__(
        self,
        access: Access,
        body: Mapping[str, Any],
        session_id: str | None,
        remark: Callable[[str], None],
        note_life: Callable[[], None],
    ) -> None:
        """Take what is asked.

        Args:
            access: the way to the engine.
            body: as for llama-server.
            session_id: of the conversation, if it is one.
            remark: takes what the caller should know.
            note_life: called whenever something comes, also what is no part of the reply.
        """
        self._access = access
        self._body = body
        self._key = access.session_key(session_id) if session_id else None
        self._remark = remark
        self._note_life = note_life
        self._figures = _Figures()

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[AsyncIterator[Any]]:
        """Send it and give each chunk; leaving the context ends the reply.

        Raises:
            PromptTooLongError: the prompt is longer than the engine's window.
            LlamaMCPError: it refuses, breaks off, or is gone.
        """
        async with AsyncExitStack() as stack:
            pieces = await self._sent(stack)
            async with aclosing(self._chunks(pieces)) as chunks:
                yield chunks

    async def _sent(self, stack: AsyncExitStack) -> AsyncIterator[bytes]:
        access, waited, wait = self._access, 0.0, FIRST_WAIT_SECONDS
        for _ in range(MOST_TRIES):
            waited += await self._wait_as_asked(waited)
            facts = access.facts or await access.refresh()
            sent = {**self._body, "stream": True}
            body = body_for(facts.kind, access.model, sent, access.unknown_fields, self._key)
            headers = {SESSION_HEADER: self._key} if self._key else {}
            try:
                return await stack.enter_async_context(access.http.stream(CHAT, body, headers))
            except RefusedError as error:
                refusal = error.refusal
            except LlamaMCPError:
                access.doubt()
                raise
            if self._left_out(refusal, body):
                continue
            if not refusal.is_busy:
                raise self._error_of(refusal, self._body)
            access.hold_off(refusal, wait)
            wait *= 2
        raise RemoteBusyError(access.url, access.busy_words, None)

    async def _wait_as_asked(self, waited: float) -> float:
        """Wait until it may be asked again, and return how long that was.

        Raises:
            RemoteBusyError: that is too long for a reply that somebody waits for.
        """
        left = self._access.not_before - time.monotonic()
        if left <= 0:
            return 0.0
        if waited + left > MOST_WAITING_SECONDS:
            raise RemoteBusyError(self._access.url, self._access.busy_words, left)
        until = self._access.not_before
        while (rest := until - time.monotonic()) > 0:
            self._note_life()  # an engine that asks for patience is not one that fell silent
            await anyio.sleep(min(rest, _LIFE_SECONDS))
        return left

    def _left_out(self, refusal: Refusal, body: Mapping[str, Any]) -> bool:
        """Tell whether it refuses fields that can be left out, and have them left out."""
        # Another request may have learned of them meanwhile: what counts is what was sent.
        unknown = refusal.unknown_fields(can_be_left_out(body))
        self._access.unknown_fields |= set(unknown)
        return bool(unknown)

    def note_left_out(self) -> None:
        """Remark which of the caller's fields the engine does not take."""
        unknown = self._access.unknown_fields
        renamed = {"max_tokens"} if "max_completion_tokens" not in unknown else set()
        left_out = [name for name in self._body if name in unknown - renamed]
        if note := left_out_note(left_out):
            self._remark(note)

    async def _chunks(self, pieces: AsyncIterator[bytes]) -> AsyncGenerator[Any, None]:
        self.note_left_out()
        access, figures = self._access, self._figures
        try:
            async with (
                aclosing(self._alive(pieces)) as alive,
                aclosing(chunks_in(alive)) as chunks,
            ):
                while (chunk := await self._next(chunks)) is not None:
                    figures.take(chunk)
                    yield chunk
                await _read_to_end(alive)
        except RefusedInStreamError as error:
            # What has come of a reply is kept; the prompt was not too long for it.
            tell = access.error_of if figures.has_text else self._error_of
            raise tell(access.http.without_key(error.refusal), self._body) from None
        except BrokenStreamError as error:
            access.doubt()
            if not figures.is_ended:  # else only figures are lost
                raise RemoteLostError(access.url, str(error)) from error
        except RemoteLostError:
            access.doubt()
            if not figures.is_ended:
                raise
        access.has_timings = figures.has_timings
        if own := figures.own_timings():
            yield own
        self._compare()

    async def _next(self, chunks: AsyncIterator[dict[str, Any]]) -> dict[str, Any] | None:
        """Return the next chunk; None after the last, also where the stream is not ended then."""
        if not self._figures.is_ended:
            return await anext(chunks, None)
        with anyio.move_on_after(_FIGURES_SECONDS):
            return await anext(chunks, None)
        return None

    async def _alive(self, pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        async for piece in pieces:
            self._note_life()
            yield piece

    def _compare(self) -> None:
        """Learn from what the engine has counted, or remark that it is too little."""
        tokens = count_or_none(member(self._figures.usage, "prompt_tokens"))
        messages = self._body.get("messages") or ()
        if not tokens or counting_of(self._access) != "estimate":
            return
        if remark := self._access.estimates.learn(messages, tokens):
            self._remark(remark)

    def _error_of(self, refusal: Refusal, body: Mapping[str, Any]) -> LlamaMCPError:
        if not refusal.is_too_long:
            return self._access.error_of(refusal, body)
        window, prompt_tokens = self._access.learn_too_long(body, refusal)
        return PromptTooLongError(refusal.shown, window, prompt_tokens)


async def _read_to_end(pieces: AsyncIterator[bytes]) -> None:
    """Read what follows [DONE], which is nothing: only a whole answer leaves its connection free.

    Another one would have to be opened, with all that TLS says before the first word.
    """
    with anyio.move_on_after(_END_SECONDS):
        async for _ in pieces:
            pass


class _Figures:
    """What a reply's own clock shows, for engines that send no figures of time."""

    def __init__(self) -> None:
        self.has_timings = False
        self.is_ended = False
        self.usage: Any = None
        self._first_at: float | None = None
        self._last_at = 0.0
        self._pieces = 0

    @property
    def has_text(self) -> bool:
        """Whether anything of the reply has come."""
        return self._first_at is not None

    def take(self, chunk: Mapping[str, Any]) -> None:
        """Take a chunk as it comes."""
        self.has_timings = self.has_timings or bool(chunk.get("timings"))
        self.usage = chunk.get("usage") or self.usage
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        self.is_ended = self.is_ended or isinstance(member(choice, "finish_reason"), str)
        delta = member(choice, "delta")
        if any(member(delta, name) for name in ("content", "reasoning_content", "tool_calls")):
            self._last_at = time.monotonic()
            self._first_at = self._first_at or self._last_at
            self._pieces += 1

    def own_timings(self) -> dict[str, Any] | None:
        """Return a chunk with the time that writing took, as it was seen from here.

        How long reading the prompt took cannot be told from here. A rate is told only where the
        engine says how many tokens these were, and they did not come all at once.
        """
        if self.has_timings or self._first_at is None:
            return None
        seconds = self._last_at - self._first_at
        timings: dict[str, Any] = {"predicted_ms": round(seconds * 1000, 3)}
        tokens = count_or_none(member(self.usage, "completion_tokens"))
        if tokens and tokens > 1 and self._pieces > 1 and seconds > 0:
            timings["predicted_per_second"] = (tokens - 1) / seconds
        return {"timings": timings}
