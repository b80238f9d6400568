"""Our own series beside llama-server's, as Prometheus reads them (text format 0.0.4); pure.

Turns are those of the archive, so they are gauges: deleting a session takes its turns away.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from llama_mcp.llama_server.status import ServerState
from llama_mcp.observing.figures import ServerMetrics
from llama_mcp.sessions.records import Quantiles, TurnStatistics

if TYPE_CHECKING:
    from prometheus_client import Metric

PREFIX = "llama_mcp_"


def prometheus_text(metrics: ServerMetrics, cpu_seconds: float | None, theirs: str | None) -> str:
    """Return a text that a Prometheus server can scrape.

    Args:
        metrics: our own figures.
        cpu_seconds: processor time that llama-server has used; None when it does not run.
        theirs: llama-server's own text, valid, which is passed on as it is.
    """
    # Imported here: it takes a while, and few ask for it.
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.registry import Collector

    class OwnSeries(Collector):
        def collect(self) -> Iterator["Metric"]:
            yield from _series(metrics, cpu_seconds)

    registry = CollectorRegistry()
    registry.register(OwnSeries())
    ours = generate_latest(registry).decode()
    if not theirs:
        return ours
    return theirs + ("" if theirs.endswith("\n") else "\n") + ours


def _series(metrics: ServerMetrics, cpu_seconds: float | None) -> Iterator["Metric"]:
    from prometheus_client.core import CounterMetricFamily

    is_up = metrics.state is ServerState.READY
    yield _gauge("up", "1 when llama-server is ready, else 0", float(is_up))
    if metrics.is_sleeping:
        yield _gauge("sleeping", "1 when llama-server has unloaded its model", 1)
    if metrics.waiting_turns is not None:
        yield _gauge("waiting_turns", "Turns of this process without a slot", metrics.waiting_turns)
    if metrics.uptime_seconds is not None:
        yield _gauge("llama_server_uptime_seconds", "Age of its process", metrics.uptime_seconds)
    if metrics.memory_bytes is not None:
        name = "llama_server_resident_memory_bytes"
        yield _gauge(name, "Memory of llama-server and its children", metrics.memory_bytes)
    if cpu_seconds is not None:
        name = PREFIX + "llama_server_cpu_seconds"
        yield CounterMetricFamily(name, "Processor time that it has used", value=cpu_seconds)
    if metrics.gpu_memory:
        name, text = "llama_server_gpu_memory_bytes", "GPU memory of llama-server"
        # Two GPUs of one kind have one name; the number keeps them apart.
        used = [([str(n), gpu.name], gpu.used_bytes) for n, gpu in enumerate(metrics.gpu_memory)]
        yield _labelled(name, text, ["gpu", "name"], used)
    yield from _turn_series(metrics.own_turns)


def _turn_series(own_turns: list[TurnStatistics]) -> Iterator["Metric"]:
    counts = [([turns.model], turns.turns) for turns in own_turns]
    yield _labelled("turns", "Turns in the archive, of the newest 10,000", ["model"], counts)
    failures = [([turns.model], turns.failures) for turns in own_turns]
    yield _labelled("failed_turns", "Those that failed or were interrupted", ["model"], failures)
    labels = ["model", "quantile"]
    firsts = [
        ([turns.model, quantile], milliseconds / 1000)
        for turns in own_turns
        for quantile, milliseconds in _quantiles(turns.first_token_ms)
    ]
    yield _labelled("first_token_seconds", "From message to first token", labels, firsts)
    rates = [
        ([turns.model, quantile], rate)
        for turns in own_turns
        for quantile, rate in _quantiles(turns.tokens_per_second)
    ]
    yield _labelled("turn_tokens_per_second", "Speed of generation in a turn", labels, rates)


def _quantiles(quantiles: Quantiles | None) -> Iterator[tuple[str, float]]:
    if quantiles is not None:
        yield "0.5", quantiles.median
        yield "0.95", quantiles.p95


def _gauge(name: str, text: str, value: float) -> "Metric":
    return _labelled(name, text, [], [([], value)])


def _labelled(
    name: str, text: str, labels: list[str], values: Sequence[tuple[list[str], float]]
) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(PREFIX + name, text, labels=labels)
    for names, value in values:
        family.add_metric(names, value)
    return family
