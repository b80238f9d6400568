"""From the text of a file of models to its entries, or to everything that is wrong with it."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from llama_mcp.models.entries.entry import NamedModel
from llama_mcp.models.entries.fields import FIELDS, REQUIRED
from llama_mcp.models.errors import ModelsFileError
from llama_mcp.models.rows.names import folded
from llama_mcp.toml_lines import Place, line_of, unfinished_line
from llama_mcp.wording import shortened

MAX_BYTES = 2**16
_SHOWN_CHARACTERS = 60
_TABLES = "models"
_HEADING = f"[[{_TABLES}]]"
# How tomllib ends an error.
_AT_LINE = re.compile(r" \(at line (\d+), column (\d+)\)$")
_AT_END = "(at end of document)"

_Problem = tuple[Place, str]


def parsed(content: bytes, file: Path) -> tuple[NamedModel, ...]:
    """Return the entries of a file, in its order.

    Args:
        content: what the file holds.
        file: its absolute path; relative paths in it begin at its folder.

    Raises:
        ModelsFileError: it names everything that is wrong, with lines.
    """
    text = _decoded(content, file)
    document = _document(text, file)
    tables, problems = _tables(document)
    read = [_entry(index, table, file) for index, table in tables]
    problems += [problem for _, found in read for problem in found]
    problems += _doubles(tables)
    if problems:
        lines = sorted((line_of(text, place), told) for place, told in problems)
        raise ModelsFileError(file, [f"line {line}: {told}" for line, told in lines])
    return tuple(entry for entry, _ in read if entry is not None)


def _decoded(content: bytes, file: Path) -> str:
    if len(content) > MAX_BYTES:
        raise ModelsFileError(file, [f"it is larger than {MAX_BYTES // 1024} KiB"])
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        is_wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
        problem = "it is in UTF-16" if is_wide else f"line {line}: it is not in UTF-8"
        raise ModelsFileError(file, [f"{problem}; save it as UTF-8"]) from error


def _document(text: str, file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ModelsFileError(file, ["it is nested too deeply"]) from error
    except ValueError as error:  # a number of too many digits is no TOMLDecodeError
        raise ModelsFileError(file, [_syntax(str(error), text)]) from error


def _syntax(message: str, text: str) -> str:
    """Return what is wrong with a text that is no TOML."""
    at = _AT_LINE.search(message)
    if message.endswith(_AT_END):
        line = unfinished_line(text)
        return f"line {line}: it is no TOML: what begins there is not finished when the file ends"
    if at is None:
        return f"it is no TOML: {message}"
    line = int(at[1])
    told = f"line {line}: it is no TOML: {message[: at.start()]}, at column {at[2]}"
    if "\\" not in text.split("\n")[line - 1]:
        return told
    return f"{told}; a path with backslashes stands in single quotes: 'C:\\Models\\x.gguf'"


def _tables(document: Mapping[str, Any]) -> tuple[list[tuple[int, dict[str, Any]]], list[_Problem]]:
    """Return the tables with their numbers, and what is wrong beside them."""
    problems: list[_Problem] = [
        ((key,), f"{_shown_key(key)} does not belong there: the file has {_HEADING} tables only")
        for key in document
        if key != _TABLES
    ]
    found = document.get(_TABLES, [])
    if not isinstance(found, list):
        told = f"{_HEADING} stands before each entry, with two brackets on each side"
        return [], [*problems, ((_TABLES,), told)]
    problems += [
        ((_TABLES, index), f"{_shown(each)} is no table: write {_HEADING} before each entry")
        for index, each in enumerate(found)
        if not isinstance(each, dict)
    ]
    return [(i, each) for i, each in enumerate(found) if isinstance(each, dict)], problems


def _entry(
    index: int, table: Mapping[str, Any], file: Path
) -> tuple[NamedModel | None, list[_Problem]]:
    """Return an entry, or what is wrong with it."""
    place = (_TABLES, index)
    problems: list[_Problem] = [
        ((*place, key), _unknown(key)) for key in table if key not in FIELDS
    ]
    problems += [(place, f"{name} is missing") for name in REQUIRED if name not in table]
    values: dict[str, Any] = {}
    for key in table.keys() & FIELDS.keys():
        try:
            values[key] = FIELDS[key](table[key], file.parent)
        except ValueError as error:
            problems.append(((*place, key), f"{key} cannot be {_shown(table[key])}: {error}"))
    if problems:
        return None, problems
    return NamedModel(file=file, given=frozenset(values), **values), []


def _unknown(key: str) -> str:
    nearest = get_close_matches(key, FIELDS, n=1)
    meant = f"the nearest name is {nearest[0]}" if nearest else f"it has {', '.join(FIELDS)}"
    return f"{_shown_key(key)} is nothing that an entry has; {meant}"


def _doubles(tables: Sequence[tuple[int, Mapping[str, Any]]]) -> Iterator[_Problem]:
    """Give the names that an entry before has."""
    seen: dict[str, int] = {}
    for index, table in tables:
        name = table.get("name")
        if isinstance(name, str) and seen.setdefault(folded(name), index) != index:
            told = f"name cannot be {_shown(name)}: an entry before has it, in whatever case"
            yield (_TABLES, index, "name"), told


def _shown_key(key: str) -> str:
    return _shown(key).strip('"')


def _shown(value: Any) -> str:
    """Return a value as it stands in the file, shortened."""
    return shortened(json.dumps(value, ensure_ascii=False, default=str), _SHOWN_CHARACTERS)
