"""Why a reply came slowly, as far as it can be told, and what helps."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from llama_mcp.wording import counted, size_text

SLOW_TOKENS_PER_SECOND = 5.0
# llama-server alone keeps a load of about 1 on each core.
_BUSY_LOAD = 1.5
# Below this no smaller model is worth having.
_LARGE_BYTES = 1_000_000_000
# Of a round trip. With 2 ms a small model kept nine tenths of its speed, with 10 six, with 50 two.
FAR_MS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowFacts:
    """What speed depends on.

    Attributes:
        is_embedded: The embedded engine replied, and not a llama.cpp build.
        n_gpu_layers: As launched; None is automatic.
        model_bytes: The size of the model's file; None when it is not known.
        load: Processes of the machine that could run at once, averaged over a minute.
        cores: How many can.
        workers: The RPC workers, each with the milliseconds of its measured round trip, if any.
    """

    model: str
    is_embedded: bool
    n_gpu_layers: int | None
    model_bytes: int | None
    load: float
    cores: int
    workers: Mapping[str, float | None] = field(default_factory=dict)


def advise_slow(
    tokens_per_second: float, look: Callable[[], SlowFacts], platform: str = sys.platform
) -> str | None:
    """Say what makes slow replies quicker, or None when they are not slow.

    Args:
        tokens_per_second: how fast the reply was generated.
        look: gives what that may come from; called only for a slow reply.
        platform: where it runs, as sys.platform says it.
    """
    if tokens_per_second >= SLOW_TOKENS_PER_SECOND:
        return None
    facts, advice = look(), []
    if facts.load > _BUSY_LOAD * facts.cores:
        advice.append(
            f"The machine is busy (load {facts.load:.0f} on {counted(facts.cores, 'core')}): it is "
            "quicker when other programs have ended."
        )
    elif facts.is_embedded and platform != "darwin":  # there its wheel has Metal
        advice.append(
            "The embedded engine calculates on the CPU only: if the machine has a GPU, pass a "
            "llama.cpp build for it as llama_cpp_path."
        )
    elif facts.n_gpu_layers == 0:
        advice.append("n_gpu_layers=0 keeps the model on the CPU: leave it out to use a GPU.")
    if facts.workers:
        advice.append(_on_workers(facts.workers))
    if facts.model_bytes and facts.model_bytes >= _LARGE_BYTES:
        size = size_text(facts.model_bytes)
        advice.append(f"A smaller model or quantisation than {facts.model} ({size}) is quicker.")
    said = " ".join(advice) or "A smaller max_tokens ends a reply sooner."
    return f"Slow: {tokens_per_second:.1f} tokens/s. {said}"


def far_worker(address: str, round_trip_ms: float | None) -> str | None:
    """Return what to say of a worker that is far away by a measured round trip; else None."""
    if round_trip_ms is None or round_trip_ms < FAR_MS:
        return None
    return (
        f"The round trip to the RPC worker {address} takes {round_trip_ms:.0f} ms, and each token "
        "waits for several: replies are slow for it. Workers belong on the same switch, below 1 ms."
    )


def _on_workers(workers: Mapping[str, float | None]) -> str:
    far = [said for address, trip in workers.items() if (said := far_worker(address, trip))]
    listed = ", ".join(workers)
    return " ".join(far) or (
        f"A part of the model is on RPC workers ({listed}), and each token crosses the network: a "
        "model that fits this machine alone is quicker without them."
    )
