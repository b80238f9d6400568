"""From what a caller passes as json_schema to the JSON schema that is meant.

OpenAI's and others' wrappers are taken off, and an object of field names and types becomes the
schema of such an object. What was changed, and what a schema does not do, is said in notes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.turns.schemas.contradictions import contradiction
from llama_mcp.turns.schemas.field_names import (
    AmbiguousFieldsError,
    are_fields,
    repaired,
    schema_of_fields,
    unknown_keywords,
)
from llama_mcp.turns.schemas.keywords import constraints
from llama_mcp.turns.schemas.type_words import JSONSchema, is_type_word
from llama_mcp.wording import shortened

_SHOWN = 300
# What holds a schema: OpenAI's response_format and text.format, Ollama's format, tools.
_WRAPPERS = (
    *("json_schema", "schema", "response_format", "format"),
    *("function", "parameters", "input_schema", "inputSchema"),
)
_BESIDE = {"name", "strict", "description", "type", "title", "$schema"}
# What the `type` of a wrapper says.
_KINDS = ("json_schema", "json_object", "function")
_MAX_WRAPPERS = 4


@dataclass(frozen=True, slots=True)
class ReadSchema:
    """The schema that is meant, and what the caller should know of it."""

    schema: JSONSchema
    notes: tuple[str, ...] = ()


def read_schema(given: Mapping[str, Any]) -> ReadSchema:
    """Return the schema that is meant.

    Raises:
        InvalidArgumentError: It may mean one thing or another, or contradicts itself.
    """
    try:
        return _read(given)
    except AmbiguousFieldsError as error:
        raise InvalidArgumentError(
            "json_schema", f"is ambiguous: {error}", "Nothing was sent."
        ) from error
    except RecursionError as error:
        raise InvalidArgumentError(
            "json_schema", "is nested too deeply", "Make it flatter and try again."
        ) from error


def _read(given: Mapping[str, Any]) -> ReadSchema:
    notes = []
    schema = _unwrapped(given)
    if schema != given:
        notes.append("json_schema was taken out of its wrapper; pass the schema itself.")
    meant = schema_of_fields(schema) if are_fields(schema) else repaired(schema)
    if meant != schema:
        shown = shortened(json.dumps(meant, ensure_ascii=False), _SHOWN)
        notes.append(f"json_schema names fields and types; it was taken for {shown}")
    if problem := contradiction(meant):
        raise InvalidArgumentError(
            "json_schema", f"contradicts itself: {problem}", "Correct it and try again."
        )
    if not constraints(meant):
        notes.append(
            "json_schema constrains nothing: any JSON keeps to it. For fields pass "
            '{"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}.'
        )
    elif unknown := unknown_keywords(meant):
        notes.append(
            f"No keyword of JSON Schema, and without effect: {', '.join(unknown)[:_SHOWN]}."
        )
    return ReadSchema(meant, tuple(notes))


def _unwrapped(given: Mapping[str, Any]) -> JSONSchema:
    schema = dict(given)
    for _ in range(_MAX_WRAPPERS):
        inner = _inside(schema)
        if inner is None:
            return schema
        schema = inner
    return schema


def _inside(schema: Mapping[str, Any]) -> JSONSchema | None:
    """Return what a wrapper holds; None when this is none."""
    kind = schema.get("type")
    holders = [name for name in _WRAPPERS if isinstance(schema.get(name), dict)]
    others = {name: item for name, item in schema.items() if name not in holders}
    if kind == "json_object" and not holders and set(others) <= _BESIDE:
        return {"type": "object"}
    if len(holders) != 1 or not set(others) <= _BESIDE:
        return None
    (holder,) = holders
    inner: JSONSchema = schema[holder]
    if kind is not None and kind not in _KINDS:
        return None
    # A field may have such a name: what stands beside it then is a type.
    if any(is_type_word(item) for name, item in others.items() if name != "type"):
        return None
    is_known = kind in _KINDS or bool(set(others) & {"name", "strict"})
    return inner if is_known or constraints(inner) or _inside(inner) is not None else None
