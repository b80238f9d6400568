"""On which line a key of a TOML text begins, found by parsing: no line is ever a guess.

An error of syntax has the parser's own line, but for one that it notices only at the end.
"""

import tomllib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

# One of them is in the last line of every value that has several (TOML 1.0).
_CLOSERS = ("]", '"""', "'''")

Place = Sequence[str | int]


def line_of(text: str, place: Place) -> int:
    """Return the first line, counted from 1, of what is at a place of a document.

    Args:
        text: the document, which must be TOML.
        place: keys, and numbers of entries of lists, from the outermost on; it must be there.
    """
    lines = text.split("\n")
    # After each of these numbers of lines a statement is whole, so that they are TOML themselves.
    ends = [0, *_ends(lines)]
    prefixes = range(1, len(ends))

    def has_it(prefix: int) -> bool:
        return _has(tomllib.loads("\n".join(lines[: ends[prefix]])), place)

    found = bisect_left(prefixes, True, key=has_it)
    return ends[found] + 1


def unfinished_line(text: str) -> int:
    """Return the line on which begins what a text ends in the middle of."""
    return max(_ends(text.split("\n")), default=0) + 1


def _ends(lines: Sequence[str]) -> Iterator[int]:
    """Give the number of lines after each statement, blank line or comment."""
    start = 0
    for number, line in enumerate(lines, 1):
        is_alone = number == start + 1
        may_end = is_alone or any(closer in line for closer in _CLOSERS)
        if may_end and _is_toml("\n".join(lines[start:number])):
            yield number
            start = number


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _has(document: Any, place: Place) -> bool:
    for key in place:
        if isinstance(document, dict):
            if key not in document:
                return False
        elif not isinstance(document, list) or not isinstance(key, int) or key >= len(document):
            return False
        document = document[key]
    return True
