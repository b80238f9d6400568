"""Limits in a schema that contradict each other.

No reply can keep to them, and llama-server must never see them: of a length or a number of items
whose least is above its most, its grammar parser makes rules without end, until all memory is used
(tried with llama.cpp b11434 and with xllamacpp of October 2026).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from llama_mcp.turns.schemas.keywords import every_object, is_number

_PAIRS = (
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
    ("minProperties", "maxProperties"),
    ("minimum", "maximum"),
    ("exclusiveMinimum", "maximum"),
    ("minimum", "exclusiveMaximum"),
    ("exclusiveMinimum", "exclusiveMaximum"),
)
# Those two at once leave no number.
_EXCLUSIVE = ("exclusiveMinimum", "exclusiveMaximum")
_REPETITION = re.compile(r"\{\s*(\d+)\s*,\s*(\d+)\s*\}")
# Longer ones count for no repetition that anybody writes.
_MAX_DIGITS = 18


def contradiction(schema: Mapping[str, Any]) -> str | None:
    """Return the first limits in the schema that contradict each other, in words."""
    return next((text for part in every_object(schema) for text in _of_one(part)), None)


def _of_one(schema: Mapping[str, Any]) -> Iterator[str]:
    for least, most in _PAIRS:
        low, high = schema.get(least), schema.get(most)
        if low is None or high is None or not (is_number(low) and is_number(high)):
            continue
        is_exclusive = least in _EXCLUSIVE or most in _EXCLUSIVE
        if low > high or (is_exclusive and low == high):
            yield f"{least} {low} and {most} {high} leave nothing"
    pattern = schema.get("pattern")
    for low, high in _REPETITION.findall(pattern) if isinstance(pattern, str) else ():
        if len(low) > _MAX_DIGITS or len(high) > _MAX_DIGITS or int(low) > int(high):
            yield f"{{{low},{high}}} in the pattern {pattern!r} leaves nothing"
