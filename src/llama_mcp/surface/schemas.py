"""Tool schemas made small: an agent pays for the whole catalogue in every conversation."""

from typing import Any

# A property's name says what its title says.
_NEEDLESS_IN_INPUT = frozenset({"title"})
# What comes back explains itself; its descriptions are for readers of our code.
_NEEDLESS_IN_OUTPUT = frozenset({"title", "description", "default"})


def compact_input_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a tool's input schema without titles and without null as an alternative.

    Null is left out because nobody has to pass it: an optional parameter is left out.
    """
    compacted: dict[str, Any] = _compact(schema, _NEEDLESS_IN_INPUT)
    return compacted


def compact_output_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a tool's output schema as one level of names and types.

    What is null is left out of results too. Objects inside the result are only said to be objects:
    spelled out, they would take half of the catalogue.
    """
    compacted: dict[str, Any] = _compact(schema, _NEEDLESS_IN_OUTPUT)
    definitions = compacted.pop("$defs", {})
    flat = {name: _flattened(item, definitions) for name, item in compacted["properties"].items()}
    return {**compacted, "properties": flat}


def _compact(value: Any, needless: frozenset[str]) -> Any:
    if isinstance(value, list):
        return [_compact(item, needless) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {
        name: _compact_names(item, needless)
        if name in ("properties", "$defs")
        else _compact(item, needless)
        for name, item in value.items()
        if name not in needless and not (name == "default" and item is None)
    }
    return _without_null(kept)


def _compact_names(named: dict[str, Any], needless: frozenset[str]) -> dict[str, Any]:
    """Compact the values of a map whose keys are names of properties, not of keywords."""
    return {name: _compact(item, needless) for name, item in named.items()}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    alternatives = schema.get("anyOf", [])
    left = [item for item in alternatives if item != {"type": "null"}]
    if len(left) != 1:
        return schema
    return {**left[0], **{name: item for name, item in schema.items() if name != "anyOf"}}


def _flattened(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    if "properties" in schema:
        return {"type": "object"}
    if isinstance(schema.get("items"), dict):
        return {**schema, "items": _flattened(schema["items"], definitions)}
    return schema
