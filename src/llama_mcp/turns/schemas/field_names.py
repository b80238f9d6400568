"""An object of field names and types, taken for the schema that it means.

Agents write `{"name": "string", "year": "integer"}` where a schema is asked for. As a JSON schema
that is valid and allows everything, because unknown keywords are ignored. A field's value may be a
type, a description, choices, an example, a list of one of these, an object of fields, or a schema.
"""

from collections.abc import Mapping
from typing import Any

from llama_mcp.turns.schemas.keywords import (
    ANNOTATIONS,
    NAMES,
    TYPES,
    constraints,
    is_keyword,
    is_type_list,
)
from llama_mcp.turns.schemas.type_words import (
    ANYTHING,
    JSONSchema,
    is_type_word,
    schema_of_text,
)

# What may stand beside fields that were not put into `properties`.
_BESIDE_FIELDS = {"type", "required", "additionalProperties"}
# These make a schema of an object with unknown keywords; the others may be names of fields.
_SURE = {"type", "properties", "required", "enum", "const", "anyOf", "oneOf", "allOf", "$ref"}
# Where a word for a type stands for a schema.
_WORD_PLACES = {"items", "additionalProperties"}


class AmbiguousFieldsError(ValueError):
    """The object may mean one thing or another; its text says which, and what to write."""


def are_fields(value: Mapping[str, Any]) -> bool:
    """Return whether an object holds field names, and is not a JSON schema.

    Raises:
        AmbiguousFieldsError: It may be either.
    """
    constraining = set(constraints(value))
    # A keyword with a value that it cannot have is a mistake in a schema, unless that is a type.
    odd = [n for n in unknown_keywords(value) if n not in NAMES or _is_typed_field(value, n)]
    if not constraining:
        return bool(odd) or any(_is_typed_field(value, name) for name in value)
    is_typed = any(_has_type(value[name]) for name in odd)
    if "properties" in constraining or not odd or (constraining & _SURE and not is_typed):
        return False
    if constraining <= _BESIDE_FIELDS and value.get("type", "object") == "object":
        return True
    keyword, field = min(constraining), min(odd)
    raise AmbiguousFieldsError(
        f'"{keyword}" may be a field or a keyword of JSON Schema, and "{field}" is none. For '
        f'fields pass {{"type": "object", "properties": {{"{keyword}": {{"type": ...}}, '
        f'"{field}": ...}}}}'
    )


def unknown_keywords(value: Mapping[str, Any]) -> list[str]:
    """Return the names that are no keywords of JSON Schema, or do not have their values."""
    return [
        name
        for name, item in value.items()
        if not is_keyword(name, item)
        and not name.startswith(("$", "x-"))
        and not ("type" in value and name in _WORD_PLACES and is_type_word(item))
    ]


def schema_of_fields(value: Mapping[str, Any]) -> JSONSchema:
    """Return the schema of an object with these fields and no others. "year?" is optional.

    Raises:
        AmbiguousFieldsError: A field may mean one thing or another.
    """
    has_types = any(_has_type(item) for item in value.values())
    about = {
        name: item
        for name, item in value.items()
        # What describes the whole is none of its fields.
        if has_types and name in ANNOTATIONS and isinstance(item, str) and not is_type_word(item)
    }
    beside = _BESIDE_FIELDS & set(constraints(value))
    fields = {n: item for n, item in value.items() if n not in about and n not in beside}
    required = [name for name in fields if not name.endswith("?")]
    return {
        **about,
        "type": "object",
        "properties": {n.removesuffix("?"): _schema_of(item, n) for n, item in fields.items()},
        "required": value["required"] if "required" in beside else required,
        "additionalProperties": False,
    }


def repaired(schema: Any, name: str = "") -> Any:
    """Return a schema in which words and field names inside it are schemas."""
    if is_type_word(schema):
        return schema_of_text(schema)
    if not isinstance(schema, dict):
        return schema
    if name and _are_surely_fields(schema):
        return schema_of_fields(schema)
    fixed = {keyword: _repaired_part(keyword, part) for keyword, part in schema.items()}
    word = schema.get("type")
    if isinstance(word, str) and word not in TYPES and is_type_word(word):
        fixed |= schema_of_text(word)
    return fixed


def _repaired_part(keyword: str, part: Any) -> Any:
    if keyword in ("properties", "$defs", "definitions") and isinstance(part, dict):
        return {name: repaired(schema, name) for name, schema in part.items()}
    if keyword in ("anyOf", "oneOf", "allOf") and isinstance(part, list):
        return [repaired(schema, keyword) for schema in part]
    return repaired(part, keyword) if keyword in _WORD_PLACES else part


def _are_surely_fields(value: Mapping[str, Any]) -> bool:
    """Inside a schema an unknown keyword is an extension, unless it has a type."""
    try:
        has_typed = any(_has_type(value[name]) for name in unknown_keywords(value))
        return has_typed and are_fields(value)
    except AmbiguousFieldsError:
        return False


def _is_typed_field(value: Mapping[str, Any], name: str) -> bool:
    is_type_of_schema = name == "type" and not isinstance(value[name], dict)
    return not is_type_of_schema and _has_type(value[name])


def _has_type(value: Any) -> bool:
    return bool(constraints(value)) if isinstance(value, dict) else is_type_word(value)


def _schema_of(value: Any, name: str) -> JSONSchema:
    if isinstance(value, str):
        return schema_of_text(value)
    if isinstance(value, list):
        return _schema_of_list(value, name)
    if isinstance(value, dict):
        is_plain = not value or not are_fields(value)
        return (repaired(value) or {"type": "object"}) if is_plain else schema_of_fields(value)
    if value is None:
        return dict(ANYTHING)
    if isinstance(value, bool):
        return {"type": "boolean"}
    return {"type": "integer" if isinstance(value, int) else "number"}


def _schema_of_list(values: list[Any], name: str) -> JSONSchema:
    if is_type_list(values) and len(values) > 1:
        return {"type": values}
    if len(values) > 1 and all(isinstance(value, str) for value in values):
        shown = ", ".join(f'"{value}"' for value in values[:3])
        raise AmbiguousFieldsError(
            f'"{name}" may be one of {shown} or a list of such texts. Pass '
            f'"{name}": {{"enum": [{shown}]}} or "{name}": ["string"]'
        )
    schemas = [_schema_of(value, name) for value in values]
    if any(schema != schemas[0] for schema in schemas):
        raise AmbiguousFieldsError(
            f'"{name}" is a list of several kinds of things. Pass one of them, or "{name}": '
            '{"type": "array"}'
        )
    return {"type": "array", "items": schemas[0]} if schemas else {"type": "array"}
