"""What llama-server took and gave over time: a sample for each look, kept while somebody looks.

Nothing is read for it. Who looks has the figures in hand, and when nobody does none are added.
"""

from collections import deque
from collections.abc import Sequence

from pydantic import BaseModel

from llama_mcp.llama_server.status import ServerState, Slot
from llama_mcp.observing.figures import ServerMetrics
from llama_mcp.sessions.texts import utc_text

# Looks of several people at once are one sample.
SHORTEST_SECONDS = 0.9
# Twenty minutes of looking every second.
MOST_SAMPLES = 1200
# Between samples that lie further apart a rate would tell of a time when nobody looked.
LONGEST_SECONDS = 60.0


class Sample(BaseModel, frozen=True):
    """What was seen at one moment; what is not known is None."""

    at_utc: str
    state: ServerState
    memory_bytes: int | None = None
    gpu_memory_bytes: int | None = None
    """Of all its GPUs."""
    cpu_percent: float | None = None
    """100 is one whole processor."""
    busy_slots: int | None = None
    slots: int | None = None
    cache_hit_share: float | None = None
    prompt_tokens_per_second: float | None = None
    """Tokens of all conversations by the clock since the sample before, and so is the next."""
    generated_tokens_per_second: float | None = None


class Samples:
    """The newest samples of one model, oldest first."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=MOST_SAMPLES)
        self._before: _Counts | None = None

    def note(self, metrics: ServerMetrics, slots: Sequence[Slot], at: float) -> None:
        """Keep a sample, unless the last one has just been taken.

        Args:
            metrics: The figures of now.
            slots: What the slots do now.
            at: Seconds since the epoch.
        """
        before, now = self._before, _Counts(metrics, slots, at)
        if before is not None and 0 <= at - before.at < SHORTEST_SECONDS:
            return
        self._before = now
        read, generated = now.rates_since(before)
        gpus = [gpu.used_bytes for gpu in metrics.gpu_memory]
        self._samples.append(
            Sample(
                at_utc=utc_text(at),
                state=metrics.state,
                memory_bytes=metrics.memory_bytes,
                gpu_memory_bytes=sum(gpus) if gpus else None,
                cpu_percent=metrics.cpu_percent,
                busy_slots=metrics.slots.busy if metrics.slots else None,
                slots=metrics.slots.total if metrics.slots else None,
                cache_hit_share=metrics.cache_hit_share,
                prompt_tokens_per_second=read,
                generated_tokens_per_second=generated,
            )
        )

    def since(self, at_utc: str = "") -> list[Sample]:
        """Return the samples that are newer, as `at_utc` says it; all by default."""
        return [sample for sample in self._samples if sample.at_utc > at_utc]


class _Counts:
    """Tokens that one llama-server has handled up to a moment."""

    def __init__(self, metrics: ServerMetrics, slots: Sequence[Slot], at: float) -> None:
        self.at = at
        self.uptime_seconds = metrics.uptime_seconds or 0.0
        # llama-server counts a prompt when all of it is read, and a reply when it is over.
        busy = [slot for slot in slots if slot.is_processing]
        reading = [slot for slot in busy if not slot.generated_tokens]
        self.read = _sum(
            metrics.prompt_tokens_total, [slot.prompt_tokens_processed for slot in reading]
        )
        self.generated = _sum(
            metrics.generated_tokens_total, [slot.generated_tokens for slot in busy]
        )

    def rates_since(self, before: "_Counts | None") -> tuple[float | None, float | None]:
        """Return tokens read and generated a second since an earlier moment."""
        if before is None or not 0 < self.at - before.at <= LONGEST_SECONDS:
            return None, None
        if self.uptime_seconds < before.uptime_seconds:  # it was started anew
            return None, None
        seconds = self.at - before.at
        of_each = (self.read, before.read), (self.generated, before.generated)
        read, generated = (_rate(now, then, seconds) for now, then in of_each)
        return read, generated


def _rate(now: int | None, then: int | None, seconds: float) -> float | None:
    # Figures and slots are asked for one after the other: what ended in between counts next time.
    return None if now is None or then is None else round(max(0, now - then) / seconds, 2)


def _sum(total: int | None, of_slots: Sequence[int | None]) -> int | None:
    return None if total is None else total + sum(filter(None, of_slots))
