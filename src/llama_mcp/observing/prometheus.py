"""Our own series beside llama-server's, as Prometheus reads them (text format 0.0.4); pure.

Turns are those of the archive, so they are gauges: deleting a session takes its turns away.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llama_mcp.llama_server.metrics.figures import LlamaServerFigures
from llama_mcp.llama_server.status import ServerState
from llama_mcp.observing.figures import ServerMetrics
from llama_mcp.observing.labelled_text import LABEL, merged
from llama_mcp.sessions.records import Quantiles, TurnStatistics

if TYPE_CHECKING:
    from prometheus_client import Metric

PREFIX = "llama_mcp_"


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """What is told of the llama-server of one of several models."""

    model: str
    figures: LlamaServerFigures
    cpu_seconds: float | None = None
    """Processor time that it has used; None when it does not run."""
    text: str | None = None
    """llama-server's own text, valid."""


def prometheus_text(metrics: ServerMetrics, cpu_seconds: float | None, theirs: str | None) -> str:
    """Return a text that a Prometheus server can scrape.

    Args:
        metrics: our own figures.
        cpu_seconds: processor time that llama-server has used; None when it does not run.
        theirs: llama-server's own text, valid, which is passed on as it is.
    """
    ours = _text([*_one_server(metrics, cpu_seconds), *_turn_series(metrics.own_turns)])
    if not theirs:
        return ours
    return theirs + ("" if theirs.endswith("\n") else "\n") + ours


def prometheus_text_of_models(
    models: Sequence[ModelFigures],
    waiting_turns: int,
    own_turns: list[TurnStatistics],
) -> str:
    """Return the same where several models may run: each llama-server has a row for its model.

    Args:
        models: those that run, and those that have run.
        waiting_turns: of this process, with whatever model.
        own_turns: as ServerMetrics has them.
    """
    theirs = merged({each.model: each.text for each in models if each.text})
    waiting = _gauge("waiting_turns", _WAITING, waiting_turns)
    return theirs + _text([*_servers(models), waiting, *_turn_series(own_turns)])


def _text(families: "Sequence[Metric]") -> str:
    # Imported here: it takes a while, and few ask for it.
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.registry import Collector

    class OwnSeries(Collector):
        def collect(self) -> "Iterable[Metric]":
            return families

    registry = CollectorRegistry()
    registry.register(OwnSeries())
    return generate_latest(registry).decode()


_UP = "1 when llama-server is ready, else 0"
_SLEEPING = "1 when llama-server has unloaded its model"
_WAITING = "Turns of this process without a slot"
_UPTIME = ("llama_server_uptime_seconds", "Age of its process")
_MEMORY = ("llama_server_resident_memory_bytes", "Memory of llama-server and its children")
_CPU = (PREFIX + "llama_server_cpu_seconds", "Processor time that it has used")
_GPU = ("llama_server_gpu_memory_bytes", "GPU memory of llama-server")


def _one_server(metrics: ServerMetrics, cpu_seconds: float | None) -> Iterator["Metric"]:
    from prometheus_client.core import CounterMetricFamily

    yield _gauge("up", _UP, float(metrics.state is ServerState.READY))
    if metrics.is_sleeping:
        yield _gauge("sleeping", _SLEEPING, 1)
    if metrics.waiting_turns is not None:
        yield _gauge("waiting_turns", _WAITING, metrics.waiting_turns)
    if metrics.uptime_seconds is not None:
        yield _gauge(*_UPTIME, metrics.uptime_seconds)
    if metrics.memory_bytes is not None:
        yield _gauge(*_MEMORY, metrics.memory_bytes)
    if cpu_seconds is not None:
        yield CounterMetricFamily(*_CPU, value=cpu_seconds)
    if metrics.gpu_memory:
        yield _labelled(*_GPU, ["gpu", "name"], _gpu_rows(metrics))


def _servers(models: Sequence[ModelFigures]) -> Iterator["Metric"]:
    from prometheus_client.core import CounterMetricFamily

    def gauge(name: str, text: str, figure: str) -> "Metric":
        told = [(each.model, getattr(each.figures, figure)) for each in models]
        rows = [([model], float(value)) for model, value in told if value is not None]
        return _labelled(name, text, [LABEL], rows)

    ups = [([each.model], float(each.figures.state is ServerState.READY)) for each in models]
    yield _labelled("up", _UP, [LABEL], ups)
    yield gauge("sleeping", _SLEEPING, "is_sleeping")
    yield gauge(*_UPTIME, "uptime_seconds")
    yield gauge(*_MEMORY, "memory_bytes")
    cpu = CounterMetricFamily(*_CPU, labels=[LABEL])
    for each in models:
        if each.cpu_seconds is not None:
            cpu.add_metric([each.model], each.cpu_seconds)
    yield cpu
    of_gpus = [
        ([each.model, *labels], used) for each in models for labels, used in _gpu_rows(each.figures)
    ]
    yield _labelled(*_GPU, [LABEL, "gpu", "name"], of_gpus)


def _gpu_rows(figures: LlamaServerFigures) -> list[tuple[list[str], float]]:
    # Two GPUs of one kind have one name; the number keeps them apart.
    return [([str(n), gpu.name], gpu.used_bytes) for n, gpu in enumerate(figures.gpu_memory)]


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
