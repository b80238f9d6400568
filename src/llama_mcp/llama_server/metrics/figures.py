"""What llama-server's Prometheus text says, as figures with plain names; pure.

A build that lacks one leaves its figure out; nothing is invented.
"""

import math
from dataclasses import dataclass

from pydantic import BaseModel

from llama_mcp.llama_server.api.metrics_text import COUNTS, Samples
from llama_mcp.llama_server.status import ServerState, SlotCount


class GpuMemory(BaseModel, frozen=True):
    """What llama-server uses of one GPU's memory."""

    name: str
    used_bytes: int
    total_bytes: int


class LlamaServerFigures(BaseModel, frozen=True):
    """Figures of llama-server; what cannot be known is None.

    Token counts are since it was started. Rates are tokens for each second that llama-server spent
    on them, one conversation at a time: over its life, and `..._now` over at most the last minute,
    from the difference of two of our own readings (None when nothing came between them). For
    builds without the counters `..._now` is llama.cpp's own gauge.

    Memory and CPU are those of llama-server and the processes it has started. cpu_percent is since
    an earlier reading, over 0.1 s when there is none within a minute; 100 is one whole processor.

    missing names what this build or platform could not tell.
    """

    state: ServerState
    model: str | None = None
    is_sleeping: bool | None = None
    uptime_seconds: float | None = None
    prompt_tokens_total: int | None = None
    cached_prompt_tokens_total: int | None = None
    generated_tokens_total: int | None = None
    cache_hit_share: float | None = None
    prompt_tokens_per_second: float | None = None
    generated_tokens_per_second: float | None = None
    prompt_tokens_per_second_now: float | None = None
    generated_tokens_per_second_now: float | None = None
    requests_processing: int | None = None
    requests_deferred: int | None = None
    slots: SlotCount | None = None
    memory_bytes: int | None = None
    cpu_percent: float | None = None
    gpu_memory: list[GpuMemory] = []
    missing: list[str] = []


@dataclass(frozen=True, slots=True)
class _Rate:
    tokens: str
    seconds: str
    gauge: str


RATES = {
    "prompt_tokens_per_second": _Rate(
        "prompt_tokens_total", "prompt_seconds_total", "prompt_tokens_seconds"
    ),
    "generated_tokens_per_second": _Rate(
        "tokens_predicted_total", "tokens_predicted_seconds_total", "predicted_tokens_seconds"
    ),
}


def figures_of(samples: Samples, earlier: Samples | None) -> dict[str, float]:
    """Return the figures that the samples tell, by our names.

    Args:
        samples: what llama-server says now.
        earlier: what the same llama-server said at most a minute ago, if it was asked then.
    """
    found: dict[str, float | None] = {
        ours: int(samples[theirs]) for ours, theirs in COUNTS.items() if theirs in samples
    }
    found["cache_hit_share"] = _cache_hit_share(samples)
    for name, rate in RATES.items():
        found[name] = _rate(samples, {rate.tokens: 0, rate.seconds: 0}, rate)
        found[f"{name}_now"] = _rate_now(samples, earlier, rate)
    return {name: value for name, value in found.items() if value is not None}


def missing_figures(samples: Samples) -> list[str]:
    """Return our names of the figures that these samples can never tell."""
    missing = [ours for ours, theirs in COUNTS.items() if theirs not in samples]
    if {"prompt_tokens_total", "cached_prompt_tokens_total"} & set(missing):
        missing.append("cache_hit_share")
    for name, rate in RATES.items():
        if rate.tokens in samples and rate.seconds in samples:
            continue
        missing.append(name)
        if rate.gauge not in samples:
            missing.append(f"{name}_now")
    return missing


def _cache_hit_share(samples: Samples) -> float | None:
    cached = samples.get(COUNTS["cached_prompt_tokens_total"])
    read = samples.get(COUNTS["prompt_tokens_total"])
    if cached is None or read is None or not cached + read:
        return None
    return round(cached / (cached + read), 4)


def _rate_now(samples: Samples, earlier: Samples | None, rate: _Rate) -> float | None:
    if rate.tokens in samples and rate.seconds in samples:
        return None if earlier is None else _rate(samples, earlier, rate)
    gauge = samples.get(rate.gauge)
    return round(gauge, 2) if gauge else None


def _rate(samples: Samples, earlier: Samples, rate: _Rate) -> float | None:
    """Return tokens a second between two readings; None when none can be told.

    That is so when nothing was done in between, or the seconds are too few for a number.
    """
    names = (rate.tokens, rate.seconds)
    if not all(name in samples and name in earlier for name in names):
        return None
    tokens, seconds = (samples[name] - earlier[name] for name in names)
    if tokens <= 0 or seconds <= 0:
        return None
    per_second = tokens / seconds
    return round(per_second, 2) if math.isfinite(per_second) else None
