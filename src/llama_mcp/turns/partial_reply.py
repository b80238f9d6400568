"""A reply as it arrives, put together from the chunks of llama-server's stream.

The stream may hold null content, repeated roles, chunks without choices and fields of the wrong
type (other builds, broken templates). What cannot be read is ignored and raises nothing. All texts
in it are made valid Unicode here.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llama_mcp.sessions.records import Receipt, Timing, Usage
from llama_mcp.sessions.texts import clean_text


@dataclass(slots=True)
class PartialReply:
    """What has been received of one reply."""

    begun_at: float = field(default_factory=time.monotonic)
    # The place in the queue for a slot, 1 being next; 0 when the turn has a slot.
    queue_place: int = 0
    queued_at: float | None = None
    queue_ms: float | None = None
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

    @property
    def text(self) -> str:
        """The reply so far."""
        return "".join(self.pieces)

    @property
    def reasoning(self) -> str:
        """The reasoning so far, apart from the reply."""
        return "".join(self.reasoning_pieces)

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

    def take_place(self, place: int) -> None:
        """Note the place in the queue for a slot; 0 means that the turn has one."""
        now = time.monotonic()
        self.queue_place = place
        if self.queued_at is None:
            self.queued_at = now
        if not place:
            self.queue_ms = round((now - self.queued_at) * 1000, 1)

    def take(self, chunk: Any) -> None:
        """Add one chunk of the stream."""
        if not isinstance(chunk, dict):
            return
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

    def usage(self) -> Usage:
        """Return the token counts that llama-server has sent; None for the others."""
        usage, timings = self.usage_chunk, self.timings_chunk
        details = _mapping(usage.get("prompt_tokens_details"))
        cached = _count(details.get("cached_tokens"), timings.get("cache_n"), self.prompt_cached)
        read = _count(timings.get("prompt_n"))
        read_and_cached = None if read is None else read + (_count(timings.get("cache_n")) or 0)
        return Usage(
            prompt_tokens=_count(usage.get("prompt_tokens"), read_and_cached, self.prompt_total),
            cached_tokens=cached,
            completion_tokens=_count(usage.get("completion_tokens"), timings.get("predicted_n")),
        )

    def timing(self) -> Timing:
        """Return how long the turn has taken so far, and llama-server's rates once it has ended."""
        return Timing(
            first_token_ms=self.first_token_ms,
            total_ms=self._elapsed_ms(),
            prompt_tokens_per_second=_rate(self.timings_chunk.get("prompt_per_second")),
            tokens_per_second=_rate(self.timings_chunk.get("predicted_per_second")),
        )

    def receipt(self, cache_miss: str | None) -> Receipt:
        """Return what the time went into, by llama-server's own figures where it has sent them."""
        prompt_ms = _count_ms(self.timings_chunk.get("prompt_ms")) or self.prompt_ms
        generation_ms = _count_ms(self.timings_chunk.get("predicted_ms"))
        if generation_ms is None and self.first_token_ms is not None:
            generation_ms = round(self._elapsed_ms() - self.first_token_ms, 1)
        return Receipt.of(
            self.usage(),
            queue_ms=self.queue_ms,
            prompt_ms=prompt_ms,
            generation_ms=generation_ms,
            cache_miss=cache_miss,
        )

    def _take_figures(self, chunk: Mapping[str, Any]) -> None:
        # Most chunks have none of these, and there may be thousands a second.
        if "prompt_progress" in chunk:
            self._take_progress(_mapping(chunk["prompt_progress"]))
        if "usage" in chunk:
            self.usage_chunk = _mapping(chunk["usage"]) or self.usage_chunk
        if "timings" in chunk:
            self.timings_chunk = _mapping(chunk["timings"]) or self.timings_chunk
        if isinstance(model := chunk.get("model"), str):
            self.model = clean_text(model)

    def _take_progress(self, progress: Mapping[str, Any]) -> None:
        self.prompt_total = _count(progress.get("total"), self.prompt_total)
        self.prompt_cached = _count(progress.get("cache"), self.prompt_cached)
        self.prompt_ms = _count(progress.get("time_ms"), self.prompt_ms)
        processed = _count(progress.get("processed"))
        self.prompt_processed = max(self.prompt_processed, processed or 0)

    def _take_delta(self, delta: Mapping[str, Any]) -> None:
        content, reasoning = delta.get("content"), delta.get("reasoning_content")
        for piece, pieces in ((content, self.pieces), (reasoning, self.reasoning_pieces)):
            if isinstance(piece, str) and piece:
                pieces.append(clean_text(piece))
                self.generated += 1
                if self.first_token_ms is None:
                    self.first_token_ms = self._elapsed_ms()

    def _elapsed_ms(self) -> float:
        return round((time.monotonic() - self.begun_at) * 1000, 1)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(*candidates: Any) -> int | None:
    """Return the first value that is a count; llama-server's JSON has none above 2**53."""
    for value in candidates:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53:
            return value
    return None


def _count_ms(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
        return None
    return round(float(value), 1)


def _rate(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    rate = float(value) if abs(value) < 1e12 else 0.0
    return round(rate, 2) if rate > 0 else None
