"""What llama-server's Prometheus text says, as figures with plain names; pure.

Names as in llama.cpp's server-task.cpp. A build that lacks one leaves its figure out; nothing is
invented.
"""

from pydantic import BaseModel

PREFIX = "llamacpp:"


class ServerMetrics(BaseModel, frozen=True):
    """Figures of the running llama-server since it was started."""

    model: str
    prompt_tokens_total: int | None = None
    cached_prompt_tokens_total: int | None = None
    generated_tokens_total: int | None = None
    prompt_tokens_per_second: float | None = None
    generated_tokens_per_second: float | None = None
    requests_processing: int | None = None
    requests_deferred: int | None = None
    missing: list[str] = []


# Our name, llama.cpp's.
COUNTS = {
    "prompt_tokens_total": "prompt_tokens_total",
    "cached_prompt_tokens_total": "prompt_tokens_cached_total",
    "generated_tokens_total": "tokens_predicted_total",
    "requests_processing": "requests_processing",
    "requests_deferred": "requests_deferred",
}
RATES = {
    "prompt_tokens_per_second": ("prompt_tokens_total", "prompt_seconds_total"),
    "generated_tokens_per_second": ("tokens_predicted_total", "tokens_predicted_seconds_total"),
}


def parse_metrics(text: str, model: str) -> ServerMetrics:
    """Return the figures of a Prometheus text; rates are over the life of the server.

    Text that is no Prometheus exposition gives metrics of which everything is missing.
    """
    samples = _samples(text)
    counts = {ours: int(samples[theirs]) for ours, theirs in COUNTS.items() if theirs in samples}
    rates = {
        name: round(samples[amount] / samples[seconds], 2)
        for name, (amount, seconds) in RATES.items()
        if samples.get(seconds, 0) > 0 and amount in samples
    }
    missing = [theirs for theirs in COUNTS.values() if theirs not in samples]
    return ServerMetrics.model_validate({"model": model, **counts, **rates, "missing": missing})


def _samples(text: str) -> dict[str, float]:
    # Imported here: the first answer on the wire does not need it.
    from prometheus_client.parser import text_string_to_metric_families

    samples: dict[str, float] = {}
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                samples[sample.name.removeprefix(PREFIX)] = sample.value
    except ValueError:
        return samples
    return samples
