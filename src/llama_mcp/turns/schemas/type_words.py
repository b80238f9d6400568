"""Words that name types, as people write them: `string`, `integer|null`, `list[str]`."""

import re
from typing import Any

from llama_mcp.turns.schemas.keywords import TYPES

JSONSchema = dict[str, Any]

ANYTHING: JSONSchema = {"type": sorted(TYPES)}
_STRING: JSONSchema = {"type": "string"}
_WORDS: dict[str, JSONSchema] = {
    **{name: {"type": name} for name in TYPES},
    **dict.fromkeys(("str", "text", "email", "url", "uri"), _STRING),
    **dict.fromkeys(("int", "long"), {"type": "integer"}),
    **dict.fromkeys(("float", "double", "decimal"), {"type": "number"}),
    "bool": {"type": "boolean"},
    **dict.fromkeys(("dict", "map"), {"type": "object"}),
    "list": {"type": "array"},
    "none": {"type": "null"},
    "any": ANYTHING,
    **{name: _STRING | {"format": name} for name in ("date", "time", "date-time", "uuid")},
    "datetime": _STRING | {"format": "date-time"},
}
_LIST_OF = re.compile(r"(?:list|array)(?:\[(.+)\]|<(.+)>| of (.+))|(.+)\[\]", re.IGNORECASE)
# "string (the name)", "integer: year of birth", "number, in euros"
_DESCRIBED = re.compile(r"([\w\[\]|<>-]+\??)(?: *[(:,;] *| +[-–—] +)(.+?)\)?", re.DOTALL)
_SEPARATOR = re.compile(r"\s*\|\s*|\s+or\s+")
_CHOICE = re.compile(r"[\w.+-]+")


def is_type_word(value: Any) -> bool:
    """Return whether this text names a type, alone, among others or with a description."""
    if not isinstance(value, str):
        return False
    described = _DESCRIBED.fullmatch(value.strip())
    return _named(value) is not None or bool(described and _named(described[1]))


def schema_of_text(value: str) -> JSONSchema:
    """Return the schema of a field by its text: a type, a type with a description, or choices.

    Any other text is an example or a description of a string.
    """
    text = value.strip()
    if (named := _named(text)) is not None:
        return named
    described = _DESCRIBED.fullmatch(text)
    if described and (named := _named(described[1])) is not None:
        return {**named, "description": described[2]}
    choices = _SEPARATOR.split(text) if "|" in text else []
    if len(choices) > 1 and all(map(_CHOICE.fullmatch, choices)):
        return {"enum": choices}
    return {**_STRING, "description": text} if text else dict(_STRING)


def _named(text: str) -> JSONSchema | None:
    """Return the schema of a text that names types and nothing else."""
    word = text.strip().lower()
    if (named := _WORDS.get(word) or _WORDS.get(word.removesuffix("s"))) is not None:
        return dict(named)
    if word.endswith("?"):
        return _any_of([_named(word[:-1]), {"type": "null"}])
    parts = _SEPARATOR.split(word)
    if len(parts) > 1:
        return _any_of([_named(part) for part in parts])
    if match := _LIST_OF.fullmatch(word):
        items = _named(next(filter(None, match.groups())))
        return None if items is None else {"type": "array", "items": items}
    return None


def _any_of(schemas: list[JSONSchema | None]) -> JSONSchema | None:
    known = [schema for schema in schemas if schema is not None]
    if len(known) < len(schemas):
        return None
    if all(list(schema) == ["type"] for schema in known):
        return {"type": [schema["type"] for schema in known]}
    return {"anyOf": known}
