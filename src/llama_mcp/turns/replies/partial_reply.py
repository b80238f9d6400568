"""A reply as it arrives, put together from the chunks of llama-server's stream.

The stream may hold null content, repeated roles, chunks without choices and fields of the wrong
type (other builds, broken templates). What cannot be read is ignored and raises nothing. All texts
in it are made valid Unicode here.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from llama_mcp.llama_server.ready_server import ModelLoad
from llama_mcp.sessions.records import Receipt, Timing, Usage
from llama_mcp.sessions.texts import clean_text
from llama_mcp.turns.replies.figures import (
    count_of,
    mapping_of,
    milliseconds_of,
    rate_of,
    sum_of,
)
from llama_mcp.turns.replies.thoughts import ThoughtParter, part_unopened
from llama_mcp.turns.replies.tool_calls import ToolCalls
from llama_mcp.turns.slot_queue import Place


@dataclass(slots=True)
class PartialReply:
    """What has been received of one reply."""

    begun_at: float = field(default_factory=time.monotonic)
    # How far the model is that the turn waits for; None when it does not.
    load: ModelLoad | None = None
    # Where in the queue for a slot the turn waits; None when it does not.
    queue_place: Place | None = None
    queued_at: float | None = None
    # Whether llama-server has answered at all; it does as soon as the turn has one of its slots.
    is_answered: bool = False
    # How long it may become; None when there is no limit but the window.
    max_tokens: int | None = None
    queue_ms: float | None = None
    # What the model was told because its session has no system prompt.
    models_system_prompt: str | None = None
    # Of the session's saved prompt cache, by the receipt's names.
    restored: dict[str, Any] = field(default_factory=dict)
    pieces: list[str] = field(default_factory=list)
    reasoning_pieces: list[str] = field(default_factory=list)
    finish_reason: str | None = None
    model: str | None = None
    prompt_total: int | None = None
    prompt_processed: int = 0
    prompt_cached: int | None = None
    prompt_ms: int | None = None
    generated: int = 0
    first_token_ms: float | None = None
    usage_chunk: Mapping[str, Any] = field(default_factory=dict)
    timings_chunk: Mapping[str, Any] = field(default_factory=dict)
    tool_calls: ToolCalls = field(default_factory=ToolCalls)
    # What came before this reply was asked for again, or before it was gone on with.
    earlier: "PartialReply | None" = None
    parter: ThoughtParter = field(default_factory=ThoughtParter)
    # Whether all of its texts has come.
    is_whole: bool = False
    # Whether another process has received its beginning: by our clock nothing can be told of it.
    is_read_on: bool = False

    @property
    def is_waiting(self) -> bool:
        """Whether the turn waits for its model or for a slot."""
        return self.load is not None or self.queue_place is not None

    @property
    def text(self) -> str:
        """The reply so far."""
        return "".join(self.pieces)

    @property
    def reasoning(self) -> str:
        """The reasoning so far, apart from the reply."""
        return "".join(self.reasoning_pieces)

    @property
    def is_plain_text(self) -> bool:
        """Whether what has been received is the text so far and nothing else."""
        is_parted = bool(self.reasoning_pieces or self.tool_calls.names)
        return not (is_parted or self.parter.is_holding_back or self.finish_reason)

    @property
    def tokens_handled(self) -> int:
        """Prompt tokens read (cached ones included) and then tokens generated; never falls."""
        if self.generated and self.prompt_total:
            return self.prompt_total + self.generated
        return self.prompt_processed + self.generated

    @property
    def prompt_seconds_left(self) -> float | None:
        """How long reading the rest of the prompt takes at the rate so far; None when unknown.

        Cached tokens count as processed, but took no time (llama.cpp: tools/server/README.md).
        """
        read = self.prompt_processed - (self.prompt_cached or 0)
        if not self.prompt_total or not self.prompt_ms or read <= 0:
            return None
        return (self.prompt_total - self.prompt_processed) * self.prompt_ms / read / 1000

    def begin(self) -> None:
        """Begin now, because the model has loaded: its loading is no part of the figures."""
        self.load, self.begun_at = None, time.monotonic()

    def take_place(self, place: Place | None) -> None:
        """Note the place in the queue for a slot; None means that the turn has one."""
        now = time.monotonic()
        self.queue_place = place
        if self.queued_at is None:
            self.queued_at = now
        if place is None and self.queue_ms is None:
            self.queue_ms = round((now - self.queued_at) * 1000, 1)

    def take(self, chunk: Any) -> None:
        """Add one chunk of the stream."""
        if not isinstance(chunk, dict):
            return
        self.is_answered = True
        self._take_figures(chunk)
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            return
        if isinstance(choice.get("finish_reason"), str):
            self.finish_reason = clean_text(choice["finish_reason"])
        delta = choice.get("delta")
        if isinstance(delta, dict):
            self._take_delta(delta)
        if self.finish_reason is not None:
            self.end()

    def end(self) -> None:
        """Add what was held back, because nothing more comes; thoughts are parted for good."""
        if self.is_whole:
            return
        self.is_whole = True
        pieces = len(self.pieces)
        self._add(*self.parter.end())
        self._add("", self.tool_calls.end())
        text = self.text
        thoughts, answer = ("", text) if self.reasoning_pieces else part_unopened(text)
        if answer != text:
            self._add(thoughts, "")
            self._replace_text(answer)
        # Progress that does not rise is not sent, and the new text with it.
        self.generated += len(self.pieces) > pieces

    def adopt(self, second: "PartialReply", heading: str) -> None:
        """Become a reply that was asked for instead; this one is kept below its reasoning.

        Who has counted the pieces so far goes on with those of the second reply.
        """
        self.earlier = replace(self, pieces=list(self.pieces))
        kept = f"{heading}\n{self.text}"
        self.reasoning_pieces += [f"\n\n{kept}" if self.reasoning_pieces else kept]
        self.reasoning_pieces += ["\n\n"] * bool(second.reasoning) + second.reasoning_pieces
        self._replace_text(second.text)
        self.finish_reason, self.tool_calls = second.finish_reason, second.tool_calls
        self.usage_chunk, self.timings_chunk = second.usage_chunk, second.timings_chunk
        self.prompt_total, self.prompt_cached = second.prompt_total, second.prompt_cached
        self.prompt_ms = second.prompt_ms
        self.generated += second.generated

    def go_on(self) -> None:
        """Be gone on with: another call reads what has come in its prompt, and sends the rest."""
        first_token_ms = self.first_token_ms or self._elapsed_ms()
        # Of a call that broke off llama-server has sent no figures of its own.
        usage = {"prompt_tokens": self.prompt_total, "completion_tokens": self.generated}
        timings = {"predicted_ms": self._elapsed_ms() - first_token_ms}
        self.earlier = replace(
            self, pieces=list(self.pieces), usage_chunk=usage, timings_chunk=timings
        )
        self.usage_chunk, self.timings_chunk = {}, {}

    def usage(self) -> Usage:
        """Return the token counts that llama-server has sent, of all calls; None for the others."""
        latest, earlier = self.latest_usage(), self.earlier and self.earlier.usage()
        if earlier is None:
            return latest
        sums = {
            name: count + more
            for name, more in latest
            if more is not None and (count := getattr(earlier, name)) is not None
        }
        return latest.model_copy(update=sums)

    def latest_usage(self) -> Usage:
        """Return the token counts of the last call."""
        usage, timings = self.usage_chunk, self.timings_chunk
        details = mapping_of(usage.get("prompt_tokens_details"))
        cached = count_of(details.get("cached_tokens"), timings.get("cache_n"), self.prompt_cached)
        read = count_of(timings.get("prompt_n"))
        read_and_cached = None if read is None else read + (count_of(timings.get("cache_n")) or 0)
        return Usage(
            prompt_tokens=count_of(usage.get("prompt_tokens"), read_and_cached, self.prompt_total),
            cached_tokens=cached,
            completion_tokens=count_of(usage.get("completion_tokens"), timings.get("predicted_n")),
        )

    def timing(self) -> Timing:
        """Return how long the turn has taken so far, and llama-server's rates once it has ended."""
        ours = self.first_token_ms, self._elapsed_ms()
        first_ms, total_ms = self._served_ms() if self.is_read_on else ours
        return Timing(
            first_token_ms=first_ms,
            total_ms=total_ms,
            prompt_tokens_per_second=rate_of(self.timings_chunk.get("prompt_per_second")),
            tokens_per_second=rate_of(self.timings_chunk.get("predicted_per_second")),
        )

    def receipt(self, cache_miss: str | None) -> Receipt:
        """Return what the time went into, by llama-server's own figures where it has sent them."""
        prompt_ms = milliseconds_of(self.timings_chunk.get("prompt_ms")) or self.prompt_ms
        generation_ms = milliseconds_of(self.timings_chunk.get("predicted_ms"))
        if generation_ms is None and not self.is_read_on and self.first_token_ms is not None:
            generation_ms = round(self._elapsed_ms() - self.first_token_ms, 1)
        if self.earlier is not None:
            before = self.earlier.receipt(None)
            prompt_ms = sum_of(prompt_ms, before.prompt_ms)
            generation_ms = sum_of(generation_ms, before.generation_ms)
        return Receipt.of(
            self.usage(),
            queue_ms=self.queue_ms,
            prompt_ms=prompt_ms,
            generation_ms=generation_ms,
            cache_miss=cache_miss,
            reasoning_tokens=len(self.reasoning_pieces) or None,
            models_system_prompt=self.models_system_prompt,
            **self.restored,
        )

    def _take_figures(self, chunk: Mapping[str, Any]) -> None:
        # Most chunks have none of these, and there may be thousands a second.
        if "prompt_progress" in chunk:
            self._take_progress(mapping_of(chunk["prompt_progress"]))
        if "usage" in chunk:
            self.usage_chunk = mapping_of(chunk["usage"]) or self.usage_chunk
        if "timings" in chunk:
            self.timings_chunk = mapping_of(chunk["timings"]) or self.timings_chunk
        if isinstance(model := chunk.get("model"), str):
            self.model = clean_text(model)

    def _take_progress(self, progress: Mapping[str, Any]) -> None:
        self.prompt_total = count_of(progress.get("total"), self.prompt_total)
        self.prompt_cached = count_of(progress.get("cache"), self.prompt_cached)
        self.prompt_ms = count_of(progress.get("time_ms"), self.prompt_ms)
        processed = count_of(progress.get("processed"))
        self.prompt_processed = max(self.prompt_processed, processed or 0)

    def _take_delta(self, delta: Mapping[str, Any]) -> None:
        content, reasoning = delta.get("content"), delta.get("reasoning_content")
        if isinstance(reasoning, str) and reasoning:
            self._note_token()
            self.parter.leave_alone()
            self._add(clean_text(reasoning), "")
        if isinstance(content, str) and content:
            self._note_token()
            if call_end := self.tool_calls.end():
                self._add("", f"{call_end}\n")
            self._add(*self.parter.take(clean_text(content)))
        if "tool_calls" in delta or "function_call" in delta:
            text = self.tool_calls.take(delta, bool(self.pieces))
            if text:
                self._note_token()
                self._add("", clean_text(text))

    def _add(self, thought: str, answer: str) -> None:
        if thought:
            self.reasoning_pieces.append(thought)
        if answer:
            self.pieces.append(answer)

    def _replace_text(self, text: str) -> None:
        """Replace the reply; whoever has counted its pieces finds the new text behind them."""
        self.pieces[:] = [""] * len(self.pieces) + [text]

    def _note_token(self) -> None:
        self.generated += 1
        if self.first_token_ms is None and not self.is_read_on:
            self.first_token_ms = self._elapsed_ms()

    def _served_ms(self) -> tuple[float | None, float | None]:
        """Return how long the first token and all of it took, by llama-server's own figures."""
        receipt = self.receipt(None)
        prompt_ms, generation_ms = receipt.prompt_ms, receipt.generation_ms
        if prompt_ms is None:
            return self.first_token_ms, None
        first_ms = sum_of(prompt_ms, self.queue_ms)
        total_ms = None if generation_ms is None else sum_of(first_ms, generation_ms)
        return self.first_token_ms or first_ms, total_ms

    def _elapsed_ms(self) -> float:
        return round((time.monotonic() - self.begun_at) * 1000, 1)
