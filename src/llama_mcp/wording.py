"""How texts say numbers, times and sizes, and how they repeat what is long."""

from collections.abc import Sequence

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return how many there are of something: 1 turn, 2 turns.

    Args:
        count: how many.
        one: the word for one.
        many: the word for none and for several; with an s when it is left out.
    """
    return f"{count} {one if count == 1 else many or one + 's'}"


def size_text(size_bytes: int) -> str:
    """Return a size as people say it, in GiB or, when it is small, in MiB."""
    gib = size_bytes / 2**30
    return f"{gib:.1f} GiB" if gib >= 0.1 else f"{size_bytes / 2**20:.1f} MiB"


def shortened(text: str, characters: int) -> str:
    """Return a text, or its first characters with … behind them."""
    return text if len(text) <= characters else f"{text[:characters]}…"


def first_few(texts: Sequence[str], most: int, between: str = ", ") -> str:
    """Return the first of some texts, and how many more there are: `a, b and 3 more`.

    Between texts that are clauses stands a semicolon: `a: x; b: y; 3 more`.
    """
    shown, more = between.join(texts[:most]), len(texts) - most
    if more <= 0:
        return shown
    return f"{shown} and {more} more" if between == ", " else f"{shown}{between}{more} more"


def lasting(seconds: float) -> str:
    """Return a time in its largest unit: 35 s, 12 min, 3 h, 2 days."""
    seconds = max(0.0, seconds)  # a clock may have been set back
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    if seconds < 2 * _DAY:
        return f"{seconds / _HOUR:.0f} h"
    return f"{seconds / _DAY:.0f} days"


def amount_text(count: int) -> str:
    """Return a large number as people say it: 135M, 8.2B."""
    for unit, letter in ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K")):
        if count >= unit:
            amount = count / unit
            return f"{amount:.0f}{letter}" if amount >= 100 else f"{amount:.1f}{letter}"
    return str(count)
