"""The likeness of two vectors; plain arithmetic, since one rank compares thousands and no more."""

import math
from array import array
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


if TYPE_CHECKING or not hasattr(math, "sumprod"):

    def cosine(one: "Vector", other: "Vector") -> float:
        """Return the cosine of the angle between two vectors of length one, from -1 to 1."""
        return sum(map(mul, one, other))

else:
    # New in Python 3.12, and some times as quick.
    cosine = math.sumprod
