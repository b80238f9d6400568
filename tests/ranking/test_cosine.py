"""The likeness of vectors is the cosine of their angle, whatever their lengths."""

import math
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.ranking.cosine import cosine, unit

NUMBERS = st.floats(-1000, 1000, width=32)
PAIRS = st.integers(1, 40).flatmap(
    lambda size: st.tuples(*[st.lists(NUMBERS, min_size=size, max_size=size)] * 2)
)


@given(PAIRS)
def test_a_cosine_is_the_same_for_any_lengths(pair: tuple[list[float], list[float]]) -> None:
    one, other = (unit(array("f", numbers)) for numbers in pair)
    lengths = [math.hypot(*numbers) for numbers in pair]
    if min(lengths) < 1e-3:
        return
    assert one is not None and other is not None
    expected = sum(a * b for a, b in zip(*pair, strict=True)) / (lengths[0] * lengths[1])
    assert cosine(one, other) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("numbers", [[0, 0], [math.nan, 1], [math.inf, 1], []])
def test_a_vector_without_a_direction_has_none(numbers: list[float]) -> None:
    assert unit(array("f", numbers)) is None
