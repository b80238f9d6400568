"""A TOML file that a person writes: what it holds, and on which line anything in it begins.

Lines are found by parsing: none is ever a guess. An error of syntax has the parser's own line, but
for one that it notices only at the end.
"""

import re
import tomllib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

# One of them is in the last line of every value that has several (TOML 1.0).
_CLOSERS = ("]", '"""', "'''")
# How tomllib ends an error.
_AT_LINE = re.compile(r" \(at line (\d+), column (\d+)\)$")
_AT_END = "(at end of document)"

Place = Sequence[str | int]


class NoTomlError(ValueError):
    """A file is no TOML; the message says why, with the line where there is one."""


def decoded(content: bytes, most_bytes: int) -> str:
    """Return the text of a file, with plain line ends.

    Raises:
        NoTomlError: it is larger than that, or not in UTF-8.
    """
    if len(content) > most_bytes:
        most = f"{most_bytes // 2**20} MiB" if most_bytes >= 2**20 else f"{most_bytes // 2**10} KiB"
        raise NoTomlError(f"it is larger than {most}")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        is_wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
        problem = "it is in UTF-16" if is_wide else f"line {line}: it is not in UTF-8"
        raise NoTomlError(f"{problem}; save it as UTF-8") from error


def document_of(text: str) -> dict[str, Any]:
    """Return what a text holds.

    Raises:
        NoTomlError: it is no TOML.
    """
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise NoTomlError("it is nested too deeply") from error
    except ValueError as error:  # a number of too many digits is no TOMLDecodeError
        raise NoTomlError(_syntax(str(error), text)) from error


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


def _syntax(message: str, text: str) -> str:
    """Return what is wrong with a text that is no TOML."""
    at = _AT_LINE.search(message)
    if message.endswith(_AT_END):
        line = _unfinished_line(text)
        return f"line {line}: it is no TOML: what begins there is not finished when the file ends"
    if at is None:
        return f"it is no TOML: {message}"
    line = int(at[1])
    told = f"line {line}: it is no TOML: {message[: at.start()]}, at column {at[2]}"
    if "\\" not in text.split("\n")[line - 1]:
        return told
    return f"{told}; a path with backslashes stands in single quotes: 'C:\\Models\\x.gguf'"


def _unfinished_line(text: str) -> int:
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
