r"""JSON, with comments and trailing commas where a client takes them.

No library on the index keeps such a text byte for byte, says where things stand, and runs on
Python 3.11 without a Node: json-five takes what clients refuse and needs 10 s for a megabyte,
json5kit reads neither `/*` nor `\u`, jsonc-document needs Python 3.12, jsonc-edit a Node. So the
standard library's decoder reads, over a text of the same length in which comments are blanks, and
its `raw_decode` says where each value ends.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from json.decoder import JSONDecodeError, JSONDecoder
from typing import Any

from llama_mcp.cli.install.forms.editing import (
    Edit,
    NotEditableError,
    Spot,
    UnreadableTextError,
    Value,
    line_end_of,
    place_in,
)

_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_COMMENT = re.compile(rf"{_STRING}|//[^\r\n]*|/\*.*?\*/", re.DOTALL)
_TRAILING_COMMA = re.compile(rf"{_STRING}|(?<=[^\s,\[{{:])\s*,(?=\s*[}}\]])", re.DOTALL)
_BLANK = re.compile(r"[ \t\r\n]*")
_REST_OF_LINE = re.compile(r"[^\r\n]*")
_INDENT = re.compile(r"[ \t]*")
_NOT_LINE_END = re.compile(r"[^\r\n]")
_DEFAULT_INDENT = "  "


@dataclass(frozen=True, slots=True)
class _Member:
    """Where a member of an object stands: its key, and the end of its value."""

    name: str
    start: int
    value_start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Object:
    """Where an object stands: its opening brace, its members, its closing brace."""

    start: int
    members: tuple[_Member, ...]
    end: int

    def member(self, name: str, text: str) -> _Member | None:
        """Return the member of a name; of two, clients take now the first and now the last."""
        found = [member for member in self.members if member.name == name]
        if len(found) > 1:
            places = " and at ".join(place_in(text, member.start) for member in found)
            raise NotEditableError(f"`{name}` stands there twice, at {places}")
        return found[0] if found else None


@dataclass(frozen=True, slots=True)
class JsonText:
    """JSON.

    Attributes:
        has_comments: Whether its reader takes comments.
        has_trailing_commas: Whether its reader takes a comma after the last member.
    """

    has_comments: bool = True
    has_trailing_commas: bool = True

    def parsed(self, text: str) -> Any:
        """Return what the text means, None for none."""
        plain = self._plain(text)
        if not plain.strip():
            return None
        try:
            return json.loads(plain, parse_constant=_refuse_constant)
        except JSONDecodeError as error:
            raise UnreadableTextError(f"{place_in(text, error.pos)}: {error.msg}") from error
        except RecursionError:
            raise UnreadableTextError("it is nested too deeply") from None
        except ValueError as error:
            raise UnreadableTextError(str(error)) from error

    def added(self, text: str, spot: Spot, value: Value) -> list[Edit]:
        """Return the edits that put a new entry in, as the first of its object.

        There no other line changes: what follows keeps its place, its comments and its commas.
        """
        plain = self._plain(text)
        if not plain.strip():
            return [Edit(len(text), len(text), _whole_text(text, spot, value))]
        way = self._way(plain, spot.keys)
        missing = (*spot.keys, spot.name)[len(way) - 1 :]
        for key in reversed(missing[1:]):
            value = {key: value}
        return [_first_member(text, plain, way, missing[0], value)]

    def replaced(self, text: str, spot: Spot, value: Value) -> list[Edit]:
        """Return the edit that puts a value in the place of the entry's."""
        way = self._way(self._plain(text), spot.keys)
        member = _the_member(way[-1], spot.name, text)
        line_start = text.rfind("\n", 0, member.start) + 1
        has_own_line = line_start and not text[line_start : member.start].strip()
        written = _written(value, len(way) if has_own_line else None, *_layout(text, way))
        return [Edit(member.value_start, member.end, written)]

    def removed(self, text: str, spot: Spot) -> list[Edit]:
        """Return the edits that take the entry out, with its comma and its lines."""
        plain = self._plain(text)
        holder = self._way(plain, spot.keys)[-1]
        member = _the_member(holder, spot.name, text)
        index = holder.members.index(member)
        with_commas = self._uncommented(text)
        comma = _next_sign(with_commas, member.end)
        is_followed = with_commas[comma] == ","
        end = comma + 1 if is_followed else member.end
        if len(holder.members) == 1:
            is_bare = not text[holder.start + 1 : member.start].strip()
            is_bare &= not text[end : holder.end - 1].strip()
            if is_bare:
                return [Edit(holder.start + 1, holder.end - 1, "")]
        edits = [_lines_of(text, member.start, end)]
        if index and index == len(holder.members) - 1 and not is_followed:
            before = _next_sign(plain, holder.members[index - 1].end)
            edits.append(Edit(before, before + 1, ""))
        return edits

    def _uncommented(self, text: str) -> str:
        """Return the text in which comments are blanks."""
        if not self.has_comments:
            return text
        return _COMMENT.sub(lambda found: _blanked(found[0]), text)

    def _plain(self, text: str) -> str:
        """Return the text in which comments and trailing commas are blanks."""
        text = self._uncommented(text)
        if not self.has_trailing_commas:
            return text
        return _TRAILING_COMMA.sub(
            lambda found: found[0] if found[0].startswith('"') else f"{found[0][:-1]} ", text
        )

    def _way(self, plain: str, keys: tuple[str, ...]) -> list[_Object]:
        """Return the objects that the keys lead through, as far as they are there."""
        way = [_object_at(plain, _next_sign(plain, 0))]
        for key in keys:
            member = way[-1].member(key, plain)
            if member is None:
                break
            way.append(_object_at(plain, member.value_start))
        return way


def _first_member(text: str, plain: str, way: list[_Object], name: str, value: Value) -> Edit:
    holder = way[-1]
    indent, line_end = _layout(text, way)
    key = json.dumps(name, ensure_ascii=False)
    brace_line = _REST_OF_LINE.match(plain, holder.start + 1)
    brace_line_end = brace_line.end() if brace_line else len(plain)
    # A comment that goes on below its line would swallow what is put behind that line.
    brace_text = text[holder.start : brace_line_end]
    is_in_comment = brace_text.rfind("/*") > brace_text.rfind("*/")
    is_one_line = brace_line_end >= holder.end
    in_line = f"{key}: {_written(value, None, indent, line_end)}"
    lines = f"{line_end}{indent * len(way)}{key}: {_written(value, len(way), indent, line_end)}"
    if holder.members:
        first = holder.members[0].start
        is_beside = first < brace_line_end or is_in_comment
        return (
            _inserted(first, f"{in_line}, ")
            if is_beside
            else _inserted(brace_line_end, f"{lines},")
        )
    if is_in_comment or (is_one_line and len(way) > 1 and "\n" not in text.rstrip()):
        return _inserted(holder.end - 1, in_line)
    if is_one_line:
        return _inserted(holder.end - 1, f"{lines}{line_end}{indent * (len(way) - 1)}")
    return _inserted(brace_line_end, lines)


def _inserted(position: int, new: str) -> Edit:
    return Edit(position, position, new)


def _lines_of(text: str, start: int, end: int) -> Edit:
    """Return the edit that takes a member out: its lines where it has them for itself."""
    line_start = text.rfind("\n", 0, start) + 1
    rest = _end_of(_INDENT, text, end)
    ends_line = rest == len(text) or text[rest] in "\r\n"
    if line_start and not text[line_start:start].strip() and ends_line:
        before = line_start - (2 if text[line_start - 2 : line_start] == "\r\n" else 1)
        return Edit(before, rest, "")
    return Edit(start, end if ends_line else rest, "")


def _object_at(plain: str, start: int) -> _Object:
    """Return where the members of an object stand; the text was parsed before."""
    if plain[start] != "{":
        raise NotEditableError("the file holds no entries")
    members = tuple(_members(plain, start + 1))
    end = _next_sign(plain, members[-1].end if members else start + 1)
    return _Object(start, members, end + 1)


def _members(plain: str, position: int) -> Iterator[_Member]:
    decoder = JSONDecoder()
    position = _next_sign(plain, position)
    while plain[position] == '"':
        name, after_key = decoder.raw_decode(plain, position)
        value_start = _next_sign(plain, _next_sign(plain, after_key) + 1)
        _, end = decoder.raw_decode(plain, value_start)
        yield _Member(name, position, value_start, end)
        position = _next_sign(plain, end)
        if plain[position] == ",":
            position = _next_sign(plain, position + 1)


def _the_member(holder: _Object, name: str, text: str) -> _Member:
    member = holder.member(name, text)
    if member is None:
        raise NotEditableError(f"there is no `{name}`")
    return member


def _next_sign(plain: str, position: int) -> int:
    return _end_of(_BLANK, plain, position)


def _end_of(pattern: re.Pattern[str], text: str, position: int) -> int:
    found = pattern.match(text, position)
    return found.end() if found else position


def _layout(text: str, way: list[_Object]) -> tuple[str, str]:
    """Return the indent of one level, and the line end."""
    for depth, holder in enumerate(way, start=1):
        for member in holder.members[:1]:
            line_start = text.rfind("\n", 0, member.start) + 1
            lead = text[line_start : member.start]
            if line_start and lead and not lead.strip(" \t") and len(lead) % depth == 0:
                return lead[: len(lead) // depth], line_end_of(text)
    return _DEFAULT_INDENT, line_end_of(text)


def _written(value: Any, depth: int | None, indent: str, line_end: str) -> str:
    """Return a value as JSON: at a depth with lines of its own, without a depth in one line."""
    if depth is None:
        return json.dumps(value, ensure_ascii=False)
    written = json.dumps(value, ensure_ascii=False, indent=indent)
    return written.replace("\n", line_end + indent * depth)


def _whole_text(text: str, spot: Spot, value: Value) -> str:
    """Return what is put behind a text that means nothing yet."""
    held: Any = value
    for key in reversed((*spot.keys, spot.name)):
        held = {key: held}
    line_end = line_end_of(text)
    lead = line_end if text and not text.endswith("\n") else ""
    return f"{lead}{_written(held, 0, _DEFAULT_INDENT, line_end)}{line_end}"


def _blanked(found: str) -> str:
    return found if found.startswith('"') else _NOT_LINE_END.sub(" ", found)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
