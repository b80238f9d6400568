"""TOML: an entry is a table of its own, with its tables below.

A new one goes to the end, where it can part nothing. tomlkit keeps a text byte for byte too, but
takes the comment before the next table along with a table that it takes out, and puts a new table
between a comment and what it is about; so lines are found here, and tomllib proves each edit.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llama_mcp.cli.install.forms.editing import (
    Edit,
    NotEditableError,
    Spot,
    UnreadableTextError,
    Value,
    line_end_of,
)

_BRACKET = re.compile(r"[ \t]*\[")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class TomlText:
    """TOML 1.0, as tomllib reads it."""

    def parsed(self, text: str) -> Any:
        """Return what the text means, None for none."""
        try:
            return tomllib.loads(text) or None
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise UnreadableTextError(_told(str(error))) from error

    def added(self, text: str, spot: Spot, value: Value) -> list[Edit]:
        """Return the edit that puts a new entry behind everything else, after an empty line."""
        line_end = line_end_of(text)
        ends = text.endswith("\n") or not text
        lead = ("" if ends else line_end) + (line_end if text.strip() else "")
        return [Edit(len(text), len(text), lead + _table(spot, value, line_end))]

    def replaced(self, text: str, spot: Spot, value: Value) -> list[Edit]:
        """Return the edits that put a value in the place of the entry's."""
        first, *rest = self._blocks(text, spot)
        new = _table(spot, value, line_end_of(text))
        return [Edit(first.start, first.end, new), *(_with_empty_line(text, each) for each in rest)]

    def removed(self, text: str, spot: Spot) -> list[Edit]:
        """Return the edits that take the entry out, with the empty line before each part."""
        return [_with_empty_line(text, block) for block in self._blocks(text, spot)]

    def _blocks(self, text: str, spot: Spot) -> list[Edit]:
        """Return edits that take the lines of the entry out."""
        found = list(_blocks(text, spot))
        if not found:
            raise NotEditableError(f"`{spot.name}` is no table with a heading of its own")
        return found


def _blocks(text: str, spot: Spot) -> Iterator[Edit]:
    """Yield where the entry's table and the tables below it begin and end, comments after them not.

    A block ends where the next heading is: a line that begins with a bracket, before which all is
    complete.
    """
    heading = re.compile(rf"[ \t]*\[[ \t]*{_path_pattern(spot)}[ \t]*[.\]]", re.MULTILINE)
    starts = [line for line in _line_starts(text) if heading.match(text, line)]
    for start in starts:
        if not _is_complete(text[:start]):
            continue
        later = (line for line in _line_starts(text) if line > start)
        ends = (line for line in later if _BRACKET.match(text, line))
        end = next((line for line in ends if _is_complete(text[start:line])), len(text))
        yield Edit(start, _end_of_keys(text, start, end), "")


def _path_pattern(spot: Spot) -> str:
    """Return a pattern for a path of keys in a heading, quoted or not."""
    dot = r"[ \t]*\.[ \t]*"
    return dot.join(rf"""["']?{re.escape(key)}["']?""" for key in (*spot.keys, spot.name))


def _line_starts(text: str) -> Iterator[int]:
    position = 0
    while 0 <= position < len(text):
        yield position
        position = text.find("\n", position) + 1 or -1


def _is_complete(text: str) -> bool:
    """Tell whether no text or list is still open at the end."""
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _end_of_keys(text: str, start: int, end: int) -> int:
    """Return the end of the last line of a block that is neither empty nor a comment."""
    last = start
    for line in _line_starts(text[:end]):
        if line >= start:
            line_end = text.find("\n", line, end)
            stop = end if line_end < 0 else line_end + 1
            if not text[line:stop].strip().startswith("#") and text[line:stop].strip():
                last = stop
    return last


def _with_empty_line(text: str, block: Edit) -> Edit:
    """Return the block with the empty line before it."""
    for empty in ("\r\n", "\n"):
        before = text[: block.start]
        if before.endswith(empty) and before[: -len(empty)].endswith("\n"):
            return Edit(block.start - len(empty), block.end, "")
    return block


def _table(spot: Spot, value: Value, line_end: str) -> str:
    """Return the entry's table, and behind it those of its members that are tables."""
    tables = [(key, held) for key, held in value.items() if isinstance(held, dict)]
    lines = [f"[{'.'.join(_key(key) for key in (*spot.keys, spot.name))}]"]
    lines += [
        f"{_key(key)} = {_scalar(held)}"
        for key, held in value.items()
        if not isinstance(held, dict)
    ]
    below = Spot((*spot.keys, spot.name), "")
    more = [_table(Spot(below.keys, key), held, line_end) for key, held in tables]
    own = "".join(f"{line}{line_end}" for line in lines)
    return line_end.join([own, *more])


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _scalar(key)


def _scalar(value: Any) -> str:
    """Return a text, a number, a truth or a list of them; JSON's escapes are TOML's too."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _told(message: str) -> str:
    """Return tomllib's message with the place first, as the other forms have it."""
    found = re.fullmatch(r"(?s)(.*) \(at (line \d+, column \d+|end of document)\)", message)
    return f"{found[2]}: {found[1]}" if found else message
