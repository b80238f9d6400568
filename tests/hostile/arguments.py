"""Arguments drawn from a tool's own input schema: those that it allows, and those that it does not.

Only the part of JSON Schema that our tools use is known; anything else is an error here.
"""

import random
from collections.abc import Mapping
from typing import Any

from tests.hostile.json_values import any_json, any_text

# Stands in a drawn argument for a session that exists.
SESSION = "@session"
LONG_TEXTS = ["x" * 100_000, "/" * 5000, "../" * 2000, "é" * 5000]
# JSON schemas that somebody could pass for the reply.
SCHEMAS: list[dict[str, Any]] = [
    {},
    {"type": "object"},
    {"type": "string", "pattern": "("},
    {"type": "object", "additionalProperties": {"pattern": "^(a|a)*$"}},
    {"$ref": "#"},
    {"$ref": "#/$defs/missing"},
    {"$ref": "file:///etc/passwd"},
    {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
    {"$schema": "urn:nothing", "type": "object"},
    {"$id": "\x00", "type": "object"},
    {"enum": []},
    {"type": ["string", "null"], "minLength": 10**30},
    {"multipleOf": 1e-300},
    {"const": float("nan")},
]
# Bounds that the catalogue leaves out (surface/tools/catalogue.py): nearly all are these.
LEAST, MOST = 0, 2**31 - 1
Schema = Mapping[str, Any]


def fitting_arguments(schema: Schema, numbers: random.Random) -> dict[str, Any]:
    """Return arguments that a tool's schema allows: what is required, and some of the rest."""
    return _object(schema, schema, numbers)


def unfitting_arguments(schema: Schema, numbers: random.Random) -> dict[str, Any]:
    """Return arguments of which one at least is nearly surely not allowed."""
    arguments = _object(schema, schema, numbers)
    names = list(schema["properties"])
    for _ in range(numbers.randint(1, 2)):
        wrong = numbers.choice([*names, *names, "Message", "", "__class__", "\x00"])
        beyond = _beyond(schema["properties"].get(wrong, {}))
        arguments[wrong] = numbers.choice([*beyond, any_json(numbers), any_json(numbers)])
    for name in schema.get("required", ()):
        if numbers.random() < 0.2:
            arguments.pop(name, None)
    return arguments


def _object(schema: Schema, root: Schema, numbers: random.Random) -> dict[str, Any]:
    required = schema.get("required", ())
    return {
        name: _fitting(item, root, numbers, name)
        for name, item in schema["properties"].items()
        if name in required or numbers.random() < 0.4
    }


def _fitting(schema: Schema, root: Schema, numbers: random.Random, name: str = "") -> Any:
    if "$ref" in schema:
        return _fitting(root["$defs"][schema["$ref"].rpartition("/")[2]], root, numbers)
    if "enum" in schema:
        return numbers.choice(schema["enum"])
    if schema["type"] == "array":
        return [_fitting(schema["items"], root, numbers) for _ in range(numbers.randrange(4))]
    if schema["type"] == "object":
        is_free = "properties" not in schema
        return numbers.choice(SCHEMAS) if is_free else _object(schema, root, numbers)
    return _scalar(schema, numbers, name)


def _scalar(schema: Schema, numbers: random.Random, name: str) -> Any:
    low, high = schema.get("minimum", LEAST), schema.get("maximum", MOST)
    match schema["type"]:
        case "string":
            if name == "session_id" and numbers.random() < 0.5:
                return SESSION
            return numbers.choice(LONG_TEXTS) if numbers.random() < 0.1 else any_text(numbers)
        case "integer":
            return numbers.choice([low, high, numbers.randint(low, high)])
        case "number":
            return numbers.choice([low, high, numbers.uniform(low, high)])
        case "boolean":
            return numbers.random() < 0.5
    raise NotImplementedError(schema)


def _beyond(schema: Schema) -> list[Any]:
    beyond: list[Any] = [None, [], {}, [[]], "", "1", True, 0.5, -1, 10**400, float("nan")]
    if schema.get("type") in ("integer", "number"):
        beyond += [schema.get("maximum", MOST) + 1, schema.get("minimum", LEAST) - 1] * 3
        beyond += [2**63, 2**64, -(2**70)]
    return beyond
