"""Which parameters of a test are enough for `scripts/test --quick`."""

import pytest


def first_quick(*values: object) -> list[object]:
    """Return parameters of which quick tests take the first only: the others repeat it."""
    first, *others = values
    return [first, *(pytest.param(value, marks=pytest.mark.slow) for value in others)]
