"""The keywords of JSON Schema, and the schemas inside a schema.

Drafts 4, 6, 7, 2019-09 and 2020-12 share most keywords. A keyword counts only with a value of its
kind, so that a field of that name is not taken for one.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
# Those that llama.cpp enforces (common/json-schema-to-grammar.cpp).
FORMATS = frozenset({"date", "time", "date-time", "uuid"})


def _is_type(value: Any) -> bool:
    return value in TYPES if isinstance(value, str) else is_type_list(value)


def is_type_list(value: Any) -> bool:
    """Return whether this is a list of JSON Schema's type names."""
    is_list = isinstance(value, list) and bool(value)
    return is_list and all(isinstance(item, str) and item in TYPES for item in value)


def is_number(value: Any) -> bool:
    """Return whether this is a number, which true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_schema(value: Any) -> bool:
    return isinstance(value, dict | bool)


def _is_map(value: Any) -> bool:
    return isinstance(value, dict)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_limit(value: Any) -> bool:
    return isinstance(value, bool) or is_number(value)  # draft 4's exclusiveMinimum is a boolean


def _is_reference(value: Any) -> bool:
    return isinstance(value, str) and (value.startswith("#") or ":" in value or "/" in value)


def _is_pattern(value: Any) -> bool:
    return isinstance(value, str)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


# What restricts a reply.
CONSTRAINING: Mapping[str, Callable[[Any], bool]] = {
    "type": _is_type,
    **dict.fromkeys(("enum", "anyOf", "oneOf", "allOf", "prefixItems"), _is_list),
    **dict.fromkeys(("properties", "patternProperties", "dependentSchemas"), _is_map),
    **dict.fromkeys(("dependencies", "dependentRequired"), _is_map),
    "items": lambda value: isinstance(value, dict | bool | list),
    "required": _is_names,
    **dict.fromkeys(("additionalProperties", "propertyNames", "contains", "not"), _is_schema),
    **dict.fromkeys(("if", "then", "else", "unevaluatedProperties"), _is_schema),
    **dict.fromkeys(("additionalItems", "unevaluatedItems"), _is_schema),
    **dict.fromkeys(("minimum", "maximum", "multipleOf", "minLength", "maxLength"), is_number),
    **dict.fromkeys(("minItems", "maxItems", "minProperties", "maxProperties"), is_number),
    **dict.fromkeys(("exclusiveMinimum", "exclusiveMaximum"), _is_limit),
    "uniqueItems": lambda value: isinstance(value, bool),
    "pattern": _is_pattern,
    "format": lambda value: value in FORMATS if isinstance(value, str) else False,
    **dict.fromkeys(("$ref", "$dynamicRef", "$recursiveRef"), _is_reference),
    "const": lambda _: True,
}
# What describes or identifies a schema, or is there to be referred to.
ANNOTATIONS = frozenset(
    ("title", "description", "default", "examples", "format", "$comment", "$schema")
    + ("$id", "id", "$anchor", "example", "nullable", "discriminator", "xml", "externalDocs")
    + ("readOnly", "writeOnly", "deprecated", "$vocabulary", "$dynamicAnchor")
    + ("contentEncoding", "contentMediaType", "contentSchema", "minContains", "maxContains")
)
# Those of them that fields are named like.
_TEXTS = frozenset({"title", "description", "id", "format", "deprecated"})
DEFINITIONS = ("$defs", "definitions")
NAMES = frozenset({*CONSTRAINING, *ANNOTATIONS, *DEFINITIONS})


def constraints(schema: Mapping[str, Any]) -> list[str]:
    """Return the keywords with which the schema restricts a reply."""
    return [name for name, value in schema.items() if is_constraint(name, value)]


def is_constraint(name: str, value: Any) -> bool:
    """Return whether this is a keyword that restricts a reply, with a value of its kind."""
    return name in CONSTRAINING and CONSTRAINING[name](value)


def is_keyword(name: str, value: Any) -> bool:
    """Return whether this is any keyword of JSON Schema."""
    is_definitions = name in DEFINITIONS and isinstance(value, dict)
    is_text = not isinstance(value, dict) or name not in _TEXTS
    return is_constraint(name, value) or (name in ANNOTATIONS and is_text) or is_definitions


def every_object(data: Any) -> Iterator[Mapping[str, Any]]:
    """Give every JSON object in a schema: a reference can make a schema of any of them."""
    if isinstance(data, dict):
        yield data
        data = list(data.values())
    for part in data if isinstance(data, list) else ():
        yield from every_object(part)
