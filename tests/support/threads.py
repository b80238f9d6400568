"""The same thing done by several threads at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
THREADS = 4


def at_once(action: Callable[[], T]) -> list[T]:
    """Return what each thread gets; raise what one of them raises."""
    with ThreadPoolExecutor(THREADS) as pool:
        futures = [pool.submit(action) for _ in range(THREADS)]
        return [future.result() for future in futures]
