"""Values of llama-server's JSON, taken as what they should be or not at all."""

from typing import Any

# No machine has more slots or tokens.
MAX_COUNT = 2**40


def member(value: object, name: str) -> Any:
    """Return a member of a JSON object; None when it has none, or is no object."""
    return value.get(name) if isinstance(value, dict) else None


def count_or_none(value: object) -> int | None:
    """Return a number of slots or tokens; None for anything that cannot be one."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < MAX_COUNT else None
