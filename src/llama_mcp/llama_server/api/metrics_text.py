"""llama-server's Prometheus text, read; pure.

Names as in llama.cpp's server-task.cpp.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

PREFIX = "llamacpp:"
# Our name, llama.cpp's. Prompt tokens are those that were read: cached ones are counted apart.
COUNTS = {
    "prompt_tokens_total": "prompt_tokens_total",
    "cached_prompt_tokens_total": "prompt_tokens_cached_total",
    "generated_tokens_total": "tokens_predicted_total",
    "requests_processing": "requests_processing",
    "requests_deferred": "requests_deferred",
}
Samples = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Exposition:
    """A parsed Prometheus text: its samples by llama.cpp's names, and whether it is valid."""

    samples: Samples
    is_valid: bool


def parse_exposition(text: str) -> Exposition:
    """Read a Prometheus text; of one that is broken, the series that are whole before the fault.

    A name with several samples (labels of a build to come) is left out: which one counts is not
    known. So is a value that is no count of anything (NaN, infinite, negative).
    """
    # Imported here: the first answer on the wire does not need it.
    from prometheus_client.parser import text_string_to_metric_families

    values: dict[str, list[float]] = {}
    is_valid = True
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                values.setdefault(sample.name.removeprefix(PREFIX), []).append(sample.value)
    except (ValueError, LookupError):  # the latter is the parser's own slip on a broken label
        is_valid = False
    samples = {
        name: found[0]
        for name, found in values.items()
        if len(found) == 1 and math.isfinite(found[0]) and found[0] >= 0
    }
    return Exposition(samples, is_valid)
