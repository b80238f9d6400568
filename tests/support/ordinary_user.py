"""What a user sees who is not root."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

NOBODY = 65534


@contextmanager
def an_ordinary_user() -> Iterator[None]:
    """Root may read everything, so a test that runs as root steps down for a moment."""
    if sys.platform == "win32":
        pytest.skip("Windows has no such permissions")
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)
