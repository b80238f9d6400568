"""From the text of a file of tokens to its entries, or to everything that is wrong with it."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from llama_mcp.callers import Caller, Scope
from llama_mcp.setting_values import as_folder
from llama_mcp.tokens.entry import TokenEntry
from llama_mcp.tokens.errors import TokensFileError
from llama_mcp.toml_lines import NoTomlError, Place, decoded, document_of, line_of

MAX_BYTES = 2**20
SCOPES = tuple(scope.name.lower() for scope in Scope)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_HASH = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)

_Problem = tuple[Place, str]


def parsed(content: bytes, file: Path) -> tuple[TokenEntry, ...]:
    """Return the entries of a file, in its order; the file must be an absolute path.

    Raises:
        TokensFileError: it names everything that is wrong, with lines.
    """
    try:
        text = decoded(content, MAX_BYTES)
        document = document_of(text)
    except NoTomlError as error:
        raise TokensFileError(file, [str(error)]) from error
    entries, problems = [], list(_doubles(document))
    for name, table in document.items():
        entry, found = _entry(name, table, file.parent)
        problems += found
        if entry is not None:
            entries.append(entry)
    if problems:
        lines = sorted((line_of(text, place), told) for place, told in problems)
        raise TokensFileError(file, [f"line {line}: {told}" for line, told in lines])
    return tuple(entries)


def is_name(text: str) -> bool:
    """Tell whether an entry can have that name."""
    return _NAME.fullmatch(text) is not None


def _doubles(document: Mapping[str, Any]) -> Iterator[_Problem]:
    """Give the names and hashes that an entry before has."""
    names: set[str] = set()
    hashes: set[str] = set()
    for name, table in document.items():
        if name.lower() in names:
            yield (name,), f"{name} has an entry already, in another case"
        names.add(name.lower())
        given = table.get("sha256") if isinstance(table, dict) else None
        for each in given if isinstance(given, list) else [given]:
            if isinstance(each, str) and each.lower() in hashes:
                yield (name, "sha256"), "sha256 stands above already; each token has one entry"
            elif isinstance(each, str):
                hashes.add(each.lower())


def _entry(name: str, table: Any, folder: Path) -> tuple[TokenEntry | None, list[_Problem]]:
    """Return an entry, or what is wrong with it; no value is shown that may be a token."""
    if not isinstance(table, dict):
        return None, [((name,), f"{name} is no table: write [NAME] before each entry")]
    problems: list[_Problem] = [((name, key), _unknown(key)) for key in table if key not in _FIELDS]
    if not is_name(name):
        problems.append(((name,), "a name has up to 64 letters, digits, and . _ @ -"))
    problems += [((name,), f"{key} is missing") for key in _REQUIRED if key not in table]
    values: dict[str, Any] = {}
    for key in table.keys() & _FIELDS.keys():
        try:
            values[key] = _FIELDS[key](table[key], folder)
        except ValueError as error:
            problems.append(((name, key), f"{key} {error}"))
    if problems:
        return None, problems
    digests = values.pop("sha256")
    return TokenEntry(Caller(owner=name, **values), digests), []


def _unknown(key: str) -> str:
    nearest = get_close_matches(key, _FIELDS, n=1)
    meant = f"the nearest name is {nearest[0]}" if nearest else f"it has {', '.join(_FIELDS)}"
    return f"{key} is nothing that an entry has; {meant}"


def _digests(value: Any, _folder: Path) -> tuple[bytes, ...]:
    given = value if isinstance(value, list) and value else [value]
    if not all(isinstance(each, str) and _HASH.fullmatch(each) for each in given):
        raise ValueError(
            "has to be the SHA-256 of a token, 64 hexadecimal digits, or a list of them; never the "
            "token itself"
        )
    return tuple(bytes.fromhex(each) for each in given)


def _scope(value: Any, _folder: Path) -> Scope:
    if value not in SCOPES:
        raise ValueError(f"has to be one of {', '.join(SCOPES)}")
    return Scope[str(value).upper()]


def _folders(value: Any, folder: Path) -> tuple[Path, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise ValueError("has to be a list of folders")
    try:
        return tuple(as_folder(each, beside=folder) for each in value)
    except ValueError as error:
        raise ValueError(f"names a folder that cannot be: {error}") from error


def _count(value: Any, _folder: Path) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError("has to be a whole number above 0; leave it out for no limit")
    return value


_FIELDS: Mapping[str, Callable[[Any, Path], Any]] = {
    "sha256": _digests,
    "scope": _scope,
    "file_dirs": _folders,
    "save_dirs": _folders,
    "turns_at_once": _count,
    "tokens_a_day": _count,
}
_REQUIRED: Sequence[str] = ("sha256", "scope")
