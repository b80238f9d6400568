"""One reply on its way: its tokens, its figures, and the chunks that carry them."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .engine import Engine, Slot
from .faults import Faults, load_faults
from .http import to_json

CHUNK = "chat.completion.chunk"
Delta = tuple[str, str]  # the field it arrives in, and the text


@dataclass
class Reply:
    body: dict[str, Any]
    faults: Faults
    engine: Engine
    prompt_tokens: int
    slot: Slot
    task: int
    started: float = field(default_factory=time.monotonic)

    @property
    def deltas(self) -> list[Delta]:
        return self._everything if self._limit is None else self._everything[: self._limit]

    @property
    def _limit(self) -> int | None:
        asked = self.body.get("max_tokens")
        return None if asked is None or asked < 0 else max(1, asked)

    @property
    def _everything(self) -> list[Delta]:
        everything = [
            *(("reasoning_content", text) for text in self.faults.reasoning),
            *(("content", text) for text in self.faults.tokens),
        ]
        if self.faults.lone_surrogate:
            everything.insert(1, ("content", "\ud83d"))
        return everything[self._written(everything) :]

    def _written(self, everything: list[Delta]) -> int:
        """How many tokens are in the prompt already, which a continued reply does not repeat."""
        if self.faults.no_continuation or not self.body.get("continue_final_message"):
            return 0
        written = self.body["messages"][-1]["content"]
        texts = [text for _, text in everything]
        return next(n for n in range(len(texts) + 1) if len("".join(texts[:n])) >= len(written))

    @property
    def finish_reason(self) -> str:
        whole = self._limit is None or len(self._everything) <= self._limit
        return self.faults.finish_reason or ("stop" if whole else "length")

    @property
    def usage(self) -> dict[str, Any]:
        if self.faults.usage is not None:
            return dict(self.faults.usage)
        return {
            "completion_tokens": self.slot.decoded,
            "prompt_tokens": self.prompt_tokens,
            "total_tokens": self.prompt_tokens + self.slot.decoded,
            "prompt_tokens_details": {"cached_tokens": 0},
        }

    @property
    def timings(self) -> dict[str, Any]:
        milliseconds = max(0.001, (time.monotonic() - self.started) * 1000)
        prompt, predicted = self.prompt_tokens, max(1, self.slot.decoded)
        return {
            "cache_n": 0,
            "prompt_n": prompt,
            "prompt_ms": milliseconds,
            "prompt_per_token_ms": milliseconds / max(1, prompt),
            "prompt_per_second": 1000 * prompt / milliseconds,
            "predicted_n": self.slot.decoded,
            "predicted_ms": milliseconds,
            "predicted_per_token_ms": milliseconds / predicted,
            "predicted_per_second": 1000 * predicted / milliseconds,
        }

    def is_held(self, sent: int) -> bool:
        """Tell whether it stays at this token: one that is to be held, by the faults of now."""
        if self.faults.hold_at_token is None:
            return False
        return load_faults(self.engine.folder).hold_at_token == sent

    def release_slot(self) -> None:
        """Before the client hears the end, so that what it asks next is up to date."""
        self.engine.release(self.slot, self.task)

    def envelope(self, choices: list[dict[str, Any]], kind: str, **more: Any) -> dict[str, Any]:
        return {
            "choices": choices,
            "created": int(time.time()),
            "id": f"chatcmpl-{self.task:032}",
            "model": self.engine.launch.alias,
            "system_fingerprint": "b0-unknown",
            "object": kind,
            **more,
        }

    def chunk(
        self, delta: dict[str, Any], finish: str | None = None, more: dict[str, Any] | None = None
    ) -> bytes:
        choice = {"finish_reason": finish, "index": 0, "delta": delta}
        return sse(self.envelope([choice], CHUNK, **(more or {})))

    def delta_chunk(self, delta: Delta) -> bytes:
        role = {"role": "assistant"} if self.faults.repeat_role else {}
        more = {"timings": self.timings} if self.body.get("timings_per_token") else {}
        return self.chunk({**role, delta[0]: delta[1]}, more=more)

    def oddities(self) -> bytes:
        """What comes before each token."""
        parts = (
            (self.faults.comments, b": ping\n\n"),
            (self.faults.empty_choices, sse(self.envelope([], CHUNK))),
            (self.faults.null_content, self.chunk({"content": None})),
        )
        return b"".join(data for wanted, data in parts if wanted)

    def closing_chunks(self) -> Iterator[bytes]:
        options = self.body.get("stream_options") or {}
        timings = {"timings": self.timings}
        if not options.get("include_usage"):
            yield self.chunk({}, self.finish_reason, timings)
            return
        yield self.chunk({}, self.finish_reason)
        yield sse(self.envelope([], CHUNK, usage=self.usage, **timings))


def sse(payload: Any) -> bytes:
    return b"data: " + to_json(payload) + b"\n\n"
