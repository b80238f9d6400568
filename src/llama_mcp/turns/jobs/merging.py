"""Data of pieces put together by its schema, where that needs no model: lists are joined.

A schema that is a list, or an object of nothing but such, is joined whole. Of an object that has
other fields too, the lists are joined, and the other fields are left to the model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

# With one of these an object is more than its properties.
_MORE = frozenset({"allOf", "anyOf", "oneOf", "not", "if", "patternProperties", "dependentSchemas"})


@dataclass(frozen=True, slots=True)
class Merging:
    """How data of a schema is put together."""

    schema: Schema
    rest: dict[str, Any] | None
    """The schema of what the model has to put together; None when lists are all there is."""

    def lists(self, items: Sequence[Any]) -> Any:
        """Return the data with its lists joined, in order, without what the model puts together."""
        return _joined(self.schema, self.schema, items)

    def others(self, data: Any) -> Any:
        """Return of one piece's data what the model puts together."""
        if self.rest is None or not isinstance(data, dict):
            return data
        return {name: item for name, item in data.items() if name in self.rest["properties"]}

    def whole(self, items: Sequence[Any], others: Any) -> Any:
        """Return the joined lists with what the model has put together, in the schema's order."""
        both = {**(others if isinstance(others, dict) else {}), **(self.lists(items) or {})}
        order = list(self.schema["properties"])
        return dict(sorted(both.items(), key=lambda item: _place(order, item[0])))


def merging_of(schema: Schema) -> Merging | None:
    """Return how data of a schema is put together; None when only the model can."""
    if _is_joined(schema, schema):
        return Merging(schema, None)
    properties = schema.get("properties")
    if not isinstance(properties, dict) or _MORE & schema.keys():
        return None
    others = {name: item for name, item in properties.items() if not _is_joined(item, schema)}
    if len(others) == len(properties):
        return None
    required = [name for name in schema.get("required", []) if name in others]
    return Merging(schema, {**schema, "properties": others, "required": required})


def _place(order: Sequence[str], name: str) -> int:
    return order.index(name) if name in order else len(order)


def _is_joined(schema: Any, root: Schema) -> bool:
    """Tell whether the schema is a list, or an object of lists."""
    schema = _meant(schema, root)
    if _is_list(schema):
        return True
    properties = schema.get("properties")
    if schema.get("type") != "object" or not properties or _MORE & schema.keys():
        return False
    return all(_is_joined(item, root) for item in properties.values())


def _is_list(schema: Schema) -> bool:
    kinds = schema.get("type")
    return kinds == "array" or (isinstance(kinds, list) and set(kinds) == {"array", "null"})


def _meant(schema: Any, root: Schema) -> Schema:
    """Return what a reference within the schema leads to; of another nothing is known."""
    for _ in range(10):
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(reference, str) or not reference.startswith("#/"):
            break
        schema = root
        for name in reference[2:].split("/"):
            schema = schema.get(name, {}) if isinstance(schema, dict) else {}
    return schema if isinstance(schema, dict) else {}


def _joined(schema: Any, root: Schema, items: Sequence[Any]) -> Any:
    schema = _meant(schema, root)
    if _is_list(schema):
        joined = [entry for item in items if isinstance(item, list) for entry in item]
        return _each_once(joined) if schema.get("uniqueItems") else joined
    objects = [item for item in items if isinstance(item, dict)]
    return {
        name: _joined(part, root, [item[name] for item in objects if name in item])
        for name, part in schema.get("properties", {}).items()
        if _is_joined(part, root) and any(name in item for item in objects)
    }


def _each_once(entries: Sequence[Any]) -> list[Any]:
    once: list[Any] = []
    for entry in entries:
        if entry not in once:
            once.append(entry)
    return once
