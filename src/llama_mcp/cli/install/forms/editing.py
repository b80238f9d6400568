"""An edit of a text, and the proof that it changes the one entry that it is about.

Each form offers the same few functions (`Form`); all else goes through `put` and `taken_out`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Value = Mapping[str, Any]


class UnreadableTextError(Exception):
    """The text is not what its form wants; says what is wrong, with line and column."""


class NotEditableError(Exception):
    """The text can be read, but the entry cannot be edited where it stands; says why."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What stands between two positions of a text is replaced."""

    start: int
    end: int
    new: str


@dataclass(frozen=True, slots=True)
class Spot:
    """Where an entry belongs.

    Attributes:
        keys: What leads to the entries, from the whole file on.
        name: What the entry is called.
        is_list: Whether the entries are a list, each with its `name`.
        beginning: What a file that means nothing yet needs besides.
    """

    keys: tuple[str, ...]
    name: str
    is_list: bool = False
    beginning: str = ""


class Form(Protocol):
    """One form of configuration file; `spot` may lead to a mapping, or in YAML to a list."""

    def parsed(self, text: str) -> Any:
        """Return what the text means, None for none; raises UnreadableTextError."""

    def added(self, text: str, spot: Spot, value: Value) -> list[Edit]:
        """Return the edits that put a new entry in; raises NotEditableError."""

    def replaced(self, text: str, spot: Spot, value: Value) -> list[Edit]:
        """Return the edits that put a value in the place of the entry's; raises as `added`."""

    def removed(self, text: str, spot: Spot) -> list[Edit]:
        """Return the edits that take the entry out; raises as `added`."""


def applied(text: str, edits: Sequence[Edit]) -> str:
    """Return the edited text."""
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        text = text[: edit.start] + edit.new + text[edit.end :]
    return text


def entries_at(meaning: Any, keys: Sequence[str]) -> dict[str, Any]:
    """Return all entries by their names, those of a list by what they call themselves."""
    held = held_at(meaning, keys)
    if isinstance(held, list):
        named = [one for one in held if isinstance(one, dict)]
        return {str(one["name"]): one for one in named if "name" in one}
    return held if isinstance(held, dict) else {}


def put(form: Form, text: str, spot: Spot, value: Value) -> list[Edit]:
    """Return proved edits after which the entry has the value.

    Raises:
        UnreadableTextError: the text has not the form.
        NotEditableError: there is no place for an entry, or no edit that changes nothing else.
    """
    before = form.parsed(text)
    _check_way(before, spot)
    is_there = spot.name in entries_at(before, spot.keys)
    edits = (form.replaced if is_there else form.added)(text, spot, value)
    after = _meaning_after(form, text, edits)
    others = _others(form.parsed(spot.beginning) if before is None else before, spot)
    if entries_at(after, spot.keys).get(spot.name) != value or _others(after, spot) != others:
        raise NotEditableError("the entry cannot be put there without changing something else")
    return edits


def taken_out(form: Form, text: str, spot: Spot) -> list[Edit]:
    """Return proved edits after which the entry is gone; raises as `put`."""
    before = form.parsed(text)
    edits = form.removed(text, spot)
    after = _meaning_after(form, text, edits)
    is_there = spot.name in entries_at(after, spot.keys)
    if is_there or _others(after, spot) != _others(before, spot):
        raise NotEditableError("the entry cannot be taken out without changing something else")
    return edits


def place_in(text: str, position: int) -> str:
    """Return a position as people count it: `line 3, column 7`."""
    lines = text[:position].splitlines() or [""]
    is_new = position > 0 and text[position - 1] in "\r\n"
    line, column = (len(lines) + 1, 1) if is_new else (len(lines), len(lines[-1]) + 1)
    return f"line {line}, column {column}"


def line_end_of(text: str) -> str:
    """Return how the text ends its lines."""
    return "\r\n" if "\r\n" in text else "\n"


def held_at(meaning: Any, keys: Sequence[str]) -> Any:
    """Return what some keys lead to; None when it is not there."""
    for key in keys:
        meaning = meaning.get(key) if isinstance(meaning, dict) else None
    return meaning


def _check_way(meaning: Any, spot: Spot) -> None:
    for count in range(len(spot.keys) + 1):
        held = held_at(meaning, spot.keys[:count])
        wanted = list if spot.is_list and count == len(spot.keys) else dict
        if held is not None and not isinstance(held, wanted):
            where = f"`{'.'.join(spot.keys[:count])}`" if count else "the file"
            raise NotEditableError(f"{where} holds no entries but {_kind(held)}")


def _kind(held: Any) -> str:
    names = {list: "a list", dict: "a mapping", str: "a text", bool: "true or false"}
    return names.get(type(held), "a number")


def _meaning_after(form: Form, text: str, edits: Sequence[Edit]) -> Any:
    try:
        return form.parsed(applied(text, edits))
    except UnreadableTextError as error:
        raise NotEditableError("the way in which it is written leaves no place") from error


def _others(meaning: Any, spot: Spot) -> Any:
    """Return the meaning without the entry, and without what then holds nothing."""
    return _without(meaning, spot.keys, spot.name)


def _without(meaning: Any, keys: Sequence[str], name: str) -> Any:
    if isinstance(meaning, list) and not keys:
        return [one for one in meaning if not (isinstance(one, dict) and one.get("name") == name)]
    if not isinstance(meaning, dict):
        return meaning or {}
    if not keys:
        return {key: value for key, value in meaning.items() if key != name}
    rest = _without(meaning.get(keys[0]), keys[1:], name)
    others = {key: value for key, value in meaning.items() if key != keys[0]}
    return {**others, keys[0]: rest} if rest else others
