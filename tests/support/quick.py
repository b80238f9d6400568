"""How much is enough of what repeats: for an edit, for the whole suite, and for a long run."""

import os

import pytest

# Set by scripts/soak.
SOAK_VARIABLE = "LLAMA_MCP_TEST_SOAK"


def first_quick(*values: object) -> list[object]:
    """Return parameters of which quick tests take the first only: the others repeat it."""
    first, *others = values
    return [first, *(pytest.param(value, marks=pytest.mark.slow) for value in others)]


def often(in_the_suite: int, *, in_a_soak: int) -> int:
    """Return how often to try what is left to chance: a soak has the time to find what is rare."""
    return in_a_soak if os.environ.get(SOAK_VARIABLE) else in_the_suite
