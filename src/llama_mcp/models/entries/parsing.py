"""From the text of a file of models to its entries, or to everything that is wrong with it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from llama_mcp.models.entries.entry import Entry, NamedModel, RemoteModel
from llama_mcp.models.entries.fields import FIELDS, OF_OTHERS, OF_OUR_OWN, UNSHOWN
from llama_mcp.models.errors import ModelsFileError
from llama_mcp.models.rows.names import folded
from llama_mcp.toml_lines import NoTomlError, Place, decoded, document_of, line_of
from llama_mcp.wording import shortened

MAX_BYTES = 2**16
_SHOWN_CHARACTERS = 60
_TABLES = "models"
_URL = "url"
_HEADING = f"[[{_TABLES}]]"

_Problem = tuple[Place, str]


def parsed(content: bytes, file: Path) -> tuple[Entry, ...]:
    """Return the entries of a file, in its order.

    Args:
        content: what the file holds.
        file: its absolute path; relative paths in it begin at its folder.

    Raises:
        ModelsFileError: it names everything that is wrong, with lines.
    """
    try:
        text = decoded(content, MAX_BYTES)
        document = document_of(text)
    except NoTomlError as error:
        raise ModelsFileError(file, [str(error)]) from error
    tables, problems = _tables(document)
    read = [_entry(index, table, file) for index, table in tables]
    problems += [problem for _, found in read for problem in found]
    problems += _doubles(tables)
    if problems:
        lines = sorted((line_of(text, place), told) for place, told in problems)
        raise ModelsFileError(file, [f"line {line}: {told}" for line, told in lines])
    return tuple(entry for entry, _ in read if entry is not None)


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


def _entry(index: int, table: Mapping[str, Any], file: Path) -> tuple[Entry | None, list[_Problem]]:
    """Return an entry, or what is wrong with it."""
    place = (_TABLES, index)
    problems: list[_Problem] = [
        ((*place, key), _unknown(key)) for key in table if key not in FIELDS
    ]
    problems += [(place, told) for told in _missing(table)]
    problems += [((*place, key), told) for key, told in _misplaced(table)]
    values: dict[str, Any] = {}
    for key in table.keys() & FIELDS.keys():
        try:
            values[key] = FIELDS[key](table[key], file.parent)
        except ValueError as error:
            shown = "what it is" if key in UNSHOWN else _shown(table[key])
            problems.append(((*place, key), f"{key} cannot be {shown}: {error}"))
    if problems:
        return None, problems
    kind = RemoteModel if _URL in table else NamedModel
    return kind(file=file, given=frozenset(values), **values), []


def _missing(table: Mapping[str, Any]) -> Iterator[str]:
    """Give what an entry needs and does not have."""
    if "name" not in table:
        yield "name is missing"
    if "model_path" not in table and _URL not in table:
        yield "model_path is missing, or url for an engine that somebody else runs"


def _misplaced(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give the fields that belong to the other kind of entry."""
    for key in table:
        if _URL in table and key in OF_OUR_OWN.keys() - OF_OTHERS.keys():
            yield key, f"{key} does not go with url: somebody else runs that engine"
        if _URL not in table and key in OF_OTHERS.keys() - OF_OUR_OWN.keys():
            yield key, f"{key} needs url beside it"


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
