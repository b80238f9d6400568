"""YAML: an entry is a member of a mapping, or of a list of mappings with names.

ruamel.yaml reads YAML 1.2, as the clients do, and says where each node stands. It writes nothing:
what it dumps has other indents, quotes and line breaks than what it read.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from llama_mcp.cli.install.forms.editing import (
    Edit,
    NotEditableError,
    Spot,
    UnreadableTextError,
    Value,
    line_end_of,
)

_STEP = "  "


@dataclass(frozen=True, slots=True)
class YamlText:
    """YAML 1.2."""

    def parsed(self, text: str) -> Any:
        """Return what the text means, None for none."""
        try:
            return YAML(typ="safe", pure=True).load(text)
        except MarkedYAMLError as error:
            mark = error.problem_mark
            place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
            raise UnreadableTextError(f"{place}{error.problem or error}") from error
        except (YAMLError, RecursionError, ValueError) as error:
            raise UnreadableTextError(str(error)) from error

    def added(self, text: str, spot: Spot, value: Value) -> list[Edit]:
        """Return the edit that puts a new entry behind the others."""
        (key,) = spot.keys
        root = _root(text)
        found = _member(root, key)
        line_end = line_end_of(text)
        if found is None:
            lines = [f"{key}:", *_lines(_STEP, spot, value)]
            beginning = spot.beginning if root is None else ""
            return [_behind(text, len(text), [*beginning.splitlines(), *lines], line_end)]
        held = found[1]
        children = _children(text, held)
        if not isinstance(held, CollectionNode) or not children:
            return [_into_empty(text, found, _lines(_STEP, spot, value), line_end)]
        if held.flow_style:
            written = json.dumps(value, ensure_ascii=False)
            entry = written if spot.is_list else f"{json.dumps(spot.name)}: {written}"
            return [Edit(held.start_mark.index + 1, held.start_mark.index + 1, f"{entry}, ")]
        start = _line_start(text, children[0].start)
        indent = text[start : children[0].start]
        lines = list(_lines(indent, spot, value))
        return [_behind(text, children[-1].end, lines, line_end)]

    def replaced(self, text: str, spot: Spot, value: Value) -> list[Edit]:
        """Return the edit that puts a value in the place of the entry's."""
        _, child = self._entry(text, spot)
        start = _line_start(text, child.start)
        lines = _lines(text[start : child.start], spot, value)
        new = "".join(line + line_end_of(text) for line in lines)
        return [Edit(start, _after_line(text, child.end), new)]

    def removed(self, text: str, spot: Spot) -> list[Edit]:
        """Return the edits that take the entry out, with its lines."""
        held, child = self._entry(text, spot)
        lines = Edit(_line_start(text, child.start), _after_line(text, child.end), "")
        if len(_children(text, held)) > 1:
            return [lines]
        found = _member(_root(text), spot.keys[0])
        colon = text.index(":", found[0].end_mark.index) + 1 if found else 0
        return [Edit(colon, colon, " []" if spot.is_list else " {}"), lines]

    def _entry(self, text: str, spot: Spot) -> "tuple[Node, _Child]":
        found = _member(_root(text), spot.keys[0])
        held = found[1] if found else None
        if isinstance(held, CollectionNode) and not held.flow_style:
            for child in _children(text, held):
                if child.name == spot.name:
                    return held, child
        raise NotEditableError(f"`{spot.name}` does not stand on lines of its own")


@dataclass(frozen=True, slots=True)
class _Child:
    """A member: what it is called, where it begins (an item of a list at its dash), its end."""

    name: str
    start: int
    end: int


def _root(text: str) -> MappingNode | None:
    node = YAML(typ="safe", pure=True).compose(text)
    if node is None or (isinstance(node, ScalarNode) and not node.value):
        return None
    if not isinstance(node, MappingNode) or node.flow_style:
        raise NotEditableError("the file is no mapping on lines of its own")
    return node


def _member(root: MappingNode | None, key: str) -> tuple[Node, Node] | None:
    members = root.value if root is not None else ()
    return next(((name, held) for name, held in members if name.value == key), None)


def _children(text: str, held: Node) -> Sequence[_Child]:
    if isinstance(held, MappingNode):
        return [
            _Child(str(name.value), name.start_mark.index, _last_end(value, name))
            for name, value in held.value
        ]
    if isinstance(held, SequenceNode):
        return [
            _Child(_name_of(item), text.rfind("-", 0, item.start_mark.index), _last_end(item, item))
            for item in held.value
        ]
    return ()


def _name_of(item: Node) -> str:
    named = _member(item, "name") if isinstance(item, MappingNode) else None
    return str(named[1].value) if named else ""


def _last_end(node: Node, key: Node) -> int:
    """Return where the last part of a node ends; a mark of a block is behind comments after it."""
    if isinstance(node, ScalarNode):
        # Nothing is written where the next thing is: what counts is the key.
        is_written = node.end_mark.index > node.start_mark.index
        return int(node.end_mark.index if is_written else key.end_mark.index)
    if not isinstance(node, CollectionNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    if isinstance(node, MappingNode):
        return _last_end(last[1], last[0])
    return _last_end(last, last)


def _behind(text: str, end: int, lines: Sequence[str], line_end: str) -> Edit:
    """Return the edit that puts lines behind the line in which something ends."""
    at = _after_line(text, end)
    lead = line_end if at and text[at - 1] != "\n" else ""
    return Edit(at, at, lead + "".join(f"{line}{line_end}" for line in lines))


def _into_empty(text: str, found: tuple[Node, Node], lines: Iterator[str], line_end: str) -> Edit:
    """Return the edit that puts lines in the place of `{}`, `[]`, or nothing."""
    key, held = found
    colon = text.index(":", key.end_mark.index) + 1
    is_written = held.end_mark.index > held.start_mark.index
    end = held.end_mark.index if is_written else colon
    if text[end : _after_line(text, end)].strip():
        rest = _after_line(text, end)
        comment = text[end:rest].rstrip("\r\n")
        written = "".join(f"{line_end}{line}" for line in lines)
        return Edit(colon, rest - len(text[end:rest]) + len(comment), comment + written)
    return Edit(colon, end, "".join(f"{line_end}{line}" for line in lines))


def _line_start(text: str, position: int) -> int:
    return text.rfind("\n", 0, position) + 1


def _after_line(text: str, position: int) -> int:
    if position and text[position - 1] == "\n":
        return position
    return text.find("\n", position) + 1 or len(text)


def _lines(indent: str, spot: Spot, value: Value) -> Iterator[str]:
    """Yield the lines of an entry."""
    if not spot.is_list:
        yield f"{indent}{_scalar(spot.name)}:"
        yield from _mapping(f"{indent}{_STEP}", value)
        return
    first, *rest = _mapping(f"{indent}{_STEP}", value)
    yield f"{indent}- {first.lstrip()}"
    yield from rest


def _mapping(indent: str, value: Value) -> Iterator[str]:
    for key, held in value.items():
        if isinstance(held, dict) and held:
            yield f"{indent}{_scalar(key)}:"
            yield from _mapping(f"{indent}{_STEP}", held)
        else:
            yield f"{indent}{_scalar(key)}: {json.dumps(held, ensure_ascii=False)}"


def _scalar(key: str) -> str:
    return key if key.replace("-", "").replace("_", "").isalnum() else json.dumps(key)
