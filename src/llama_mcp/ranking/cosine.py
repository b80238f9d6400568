"""The likeness of two vectors; plain arithmetic, since one rank compares thousands and no more."""

import math
from array import array
from collections.abc import Callable
from operator import mul
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llama_mcp.llama_server.rank_server import Vector


def unit(vector: "Vector") -> "Vector | None":
    """Return the vector with length one; None where it has no direction or is no number."""
    length = math.hypot(*vector)
    if not math.isfinite(length) or length == 0:
        return None
    return array("f", [value / length for value in vector])


def cosine(one: "Vector", other: "Vector") -> float:
    """Return the cosine of the angle between two vectors of length one, from -1 to 1."""
    return _product(one, other)


def _plain_product(one: "Vector", other: "Vector") -> float:
    product: float = sum(map(mul, one, other))
    return product


# New in Python 3.12, and some times as quick.
_product: Callable[["Vector", "Vector"], float] = getattr(math, "sumprod", _plain_product)
