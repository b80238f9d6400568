"""Our own Prometheus series, as the reference parser reads them."""

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from llama_mcp.llama_server.metrics.figures import LlamaServerFigures
from llama_mcp.observing.figures import ServerMetrics
from llama_mcp.observing.prometheus import (
    PREFIX,
    ModelFigures,
    prometheus_text,
    prometheus_text_of_models,
)
from tests.llama_server.metrics.test_figures import TEXT
from tests.observing.test_labelled_text import check_rules

EVERYTHING: dict[str, Any] = {
    "state": "ready",
    "is_sleeping": True,
    "uptime_seconds": 12.5,
    "waiting_turns": 3,
    "memory_bytes": 2**33,
    "cpu_percent": 150.0,
    "gpu_memory": [
        {"name": "GPU", "used_bytes": 100, "total_bytes": 1000},
        {"name": "GPU", "used_bytes": 200, "total_bytes": 1000},
    ],
    "own_turns": [
        {
            "model": 'odd "name"\\\n',
            "turns": 7,
            "failures": 2,
            "first_token_ms": {"median": 250, "p95": 1000},
            "tokens_per_second": {"median": 10.5, "p95": 20},
        },
        {"model": "other", "turns": 1, "failures": 1},
    ],
}
Series = dict[tuple[str, tuple[str, ...]], float]


def series_in(text: str) -> Series:
    """Return the samples by name and label values; a series must not be there twice."""
    samples = [
        ((sample.name, tuple(sample.labels.values())), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
    assert len(dict(samples)) == len(samples)
    return dict(samples)


def own(text: str) -> Series:
    return {
        (name.removeprefix(PREFIX), labels): value
        for (name, labels), value in series_in(text).items()
        if name.startswith(PREFIX)
    }


def test_every_figure_becomes_a_series_in_base_units() -> None:
    text = prometheus_text(ServerMetrics.model_validate(EVERYTHING), 4.5, None)
    odd = 'odd "name"\\\n'
    assert own(text) == {
        ("up", ()): 1,
        ("sleeping", ()): 1,
        ("waiting_turns", ()): 3,
        ("llama_server_uptime_seconds", ()): 12.5,
        ("llama_server_resident_memory_bytes", ()): 2**33,
        ("llama_server_cpu_seconds_total", ()): 4.5,
        ("llama_server_gpu_memory_bytes", ("0", "GPU")): 100,
        ("llama_server_gpu_memory_bytes", ("1", "GPU")): 200,
        ("turns", (odd,)): 7,
        ("turns", ("other",)): 1,
        ("failed_turns", (odd,)): 2,
        ("failed_turns", ("other",)): 1,
        ("first_token_seconds", (odd, "0.5")): 0.25,
        ("first_token_seconds", (odd, "0.95")): 1,
        ("turn_tokens_per_second", (odd, "0.5")): 10.5,
        ("turn_tokens_per_second", (odd, "0.95")): 20,
    }


def test_llama_servers_own_text_is_passed_on_as_it_is() -> None:
    metrics = ServerMetrics.model_validate(EVERYTHING)
    for theirs in (TEXT, TEXT.rstrip("\n")):
        text = prometheus_text(metrics, 4.5, theirs)
        assert text.startswith(TEXT)
        assert series_in(TEXT).items() <= series_in(text).items()
        assert own(text) == own(prometheus_text(metrics, 4.5, None))


def test_what_is_not_known_has_no_series() -> None:
    text = prometheus_text(ServerMetrics.model_validate({"state": "stopped"}), None, None)
    assert own(text) == {("up", ()): 0}


def test_of_several_models_each_llama_server_has_a_row_and_one_that_ended_is_not_up() -> None:
    one = LlamaServerFigures.model_validate(
        {
            name: value
            for name, value in EVERYTHING.items()
            if name in LlamaServerFigures.model_fields
        }
    )
    ready = LlamaServerFigures.model_validate({"state": "ready", "memory_bytes": 7})
    over = LlamaServerFigures.model_validate({"state": "stopped"})
    metrics = ServerMetrics.model_validate(EVERYTHING)
    models = [
        ModelFigures("one", one, 4.5, TEXT),
        ModelFigures("ready", ready, 1.5, TEXT),
        ModelFigures("over", over),
    ]
    text = prometheus_text_of_models(models, 3, metrics.own_turns)
    check_rules(text)
    found = own(text)
    ups = {labels: value for (name, labels), value in found.items() if name == "up"}
    assert ups == {("one",): 1, ("ready",): 1, ("over",): 0}
    memory = "llama_server_resident_memory_bytes"
    assert {labels: found[memory, labels] for name, labels in found if name == memory} == {
        ("one",): 2**33,
        ("ready",): 7,
    }
    assert found["llama_server_cpu_seconds_total", ("ready",)] == 1.5
    assert found["llama_server_gpu_memory_bytes", ("1", "one", "GPU")] == 200
    assert found["sleeping", ("one",)] == 1 and ("sleeping", ("ready",)) not in found
    # What is no llama-server's stands as it does where one model runs.
    assert found["waiting_turns", ()] == 3 and found["turns", ("other",)] == 1
    assert len([name for name, _ in series_in(text) if name == "llamacpp:requests_deferred"]) == 2


def test_before_the_first_start_the_text_of_several_models_is_valid_and_has_no_row() -> None:
    text = prometheus_text_of_models([], 0, [])
    check_rules(text)
    assert own(text) == {("waiting_turns", ()): 0}
