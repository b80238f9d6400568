"""Figures of llama-server's, read from JSON that may hold anything."""

from collections.abc import Mapping
from typing import Any


def mapping_of(value: Any) -> Mapping[str, Any]:
    """Return the value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def count_of(*candidates: Any) -> int | None:
    """Return the first value that is a count; llama-server's JSON has none above 2**53."""
    for value in candidates:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53:
            return value
    return None


def milliseconds_of(value: Any) -> float | None:
    """Return a time of llama-server's; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
        return None
    return round(float(value), 1)


def sum_of(first: float | None, second: float | None) -> float | None:
    """Return the sum of two figures; the first alone when there is no second."""
    return first if second is None else round((first or 0) + second, 1)


def rate_of(value: Any) -> float | None:
    """Return a rate per second; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    rate = float(value) if abs(value) < 1e12 else 0.0
    return round(rate, 2) if rate > 0 else None
