"""Texts in columns of a terminal: how wide they are, cut to a width, put into a table; pure."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import wrap

from llama_mcp.visible_text import visible_line

_CUT = "…"
_BETWEEN = "  "
# A name or title that is cut further tells too little: other columns go first.
_LEAST_FLEXIBLE = 24
BAR_COLUMNS = 20


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    head: str
    is_flexible: bool = False
    """It is cut first when the table is too wide. One column is."""
    is_number: bool = False
    """Its texts stand at its right edge."""


def width_of(text: str) -> int:
    """Return how many columns a line takes: some characters take two, and marks none."""
    return len(text) if text.isascii() else sum(map(_width, text))


def cut(text: str, columns: int) -> str:
    """Return a line, or its beginning with … where it is wider."""
    if width_of(text) <= columns:
        return text
    return _beginning(text, columns - 1) + _CUT if columns > 0 else ""


def cut_middle(text: str, columns: int) -> str:
    """Return a line, or its beginning and its end with … between them."""
    if width_of(text) <= columns:
        return text
    end = _beginning(text[::-1], columns // 2)[::-1]
    return _beginning(text, columns - 1 - width_of(end)) + _CUT + end if columns > 0 else ""


def wrapped(sentences: Iterable[str], columns: int | None) -> list[str]:
    """Return sentences in lines that fit, cut nowhere but between words if that can be."""
    lines = [visible_line(sentence) for sentence in sentences]
    if columns is None:
        return lines
    return [cut(each, columns) for line in lines for each in wrap(line, max(1, columns)) or [""]]


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Return lines of harmless text: a head, and a line for each row.

    Args:
        columns: the first ones matter most: what does not fit at all is left out from the right.
        rows: a text for each column.
        width: of the terminal; None where lines may be as long as they are.
    """
    shown = [[visible_line(text) for text in row] for row in rows]
    everything = [[column.head for column in columns], *shown]
    widths = [max(width_of(row[number]) for row in everything) for number in range(len(columns))]
    widths = _fitted(columns, widths, width)
    return [_line(columns, row, widths) for row in everything]


def bar(share: float, columns: int = BAR_COLUMNS) -> str:
    """Return how much of something is full, as a bar."""
    full = round(min(1.0, max(0.0, share)) * columns)
    return "#" * full + "." * (columns - full)


def _fitted(columns: Sequence[Column], widths: list[int], width: int | None) -> list[int]:
    """Return the widths of the columns that fit, the flexible one made narrower if need be."""
    if width is None:
        return widths
    flexible = next(number for number, column in enumerate(columns) if column.is_flexible)
    while True:
        too_wide = sum(widths) + len(_BETWEEN) * (len(widths) - 1) - width
        if too_wide <= 0:
            return widths
        can_give = widths[flexible] - _LEAST_FLEXIBLE
        if can_give >= too_wide or len(widths) == flexible + 1:
            widths[flexible] = max(1, widths[flexible] - too_wide)
            return widths
        widths = widths[:-1]


def _line(columns: Sequence[Column], row: Sequence[str], widths: Sequence[int]) -> str:
    cells = []
    for column, text, width in zip(columns, row, widths, strict=False):
        text = cut_middle(text, width) if column.is_flexible else text
        space = " " * (width - width_of(text))
        cells.append(space + text if column.is_number else text + space)
    return _BETWEEN.join(cells).rstrip()


def _beginning(text: str, columns: int) -> str:
    used = 0
    for number, character in enumerate(text):
        used += _width(character)
        if used > columns:
            return text[:number]
    return text


def _width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
