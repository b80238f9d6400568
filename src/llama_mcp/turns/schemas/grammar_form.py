"""A schema as llama.cpp's grammar converter understands it.

The converter (common/json-schema-to-grammar.cpp) reads most of JSON Schema, and some of it wrongly:
it refuses schemas that are `true`, `false` or a reference to the whole, makes an object of `{}`,
and where several keywords apply it takes the first that it knows. Here they are said in the way
that it reads rightly. What a grammar cannot say is left to the check of the reply.
"""

from collections.abc import Mapping
from typing import Any

from llama_mcp.turns.schemas.keywords import DEFINITIONS, every_object
from llama_mcp.turns.schemas.type_words import ANYTHING, JSONSchema

_MAPS = ("properties", *DEFINITIONS)
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLES = ("items", "additionalProperties")
# Which of these a branch has decides what it looks like; without them it only restricts.
_SHAPES = {"type", "properties", "items", "prefixItems", "enum", "const", "$ref", "anyOf", "oneOf"}
_WHOLE = "whole"


def grammar_form(schema: Mapping[str, Any]) -> JSONSchema:
    """Return the schema to be sent; a reply that keeps to it has the shape that is asked for."""
    form = _form({name: part for name, part in schema.items() if name != "$schema"})
    return _with_whole_named(form) if _refers_to_whole(form) else form


def _form(schema: Any) -> Any:
    if schema is True or schema == {"not": {}}:
        return dict(ANYTHING)
    if not isinstance(schema, dict):
        return schema
    form = _plain(schema)
    for keyword in _MAPS:
        if isinstance(parts := form.get(keyword), dict):
            form[keyword] = {name: _part(part) for name, part in parts.items()}
    for keyword in _LISTS:
        if isinstance(parts := form.get(keyword), list):
            form[keyword] = [_part(part) for part in parts]
    for keyword in _SINGLES:
        if isinstance(form.get(keyword), dict):
            form[keyword] = _part(form[keyword])
    if isinstance(items := form.get("items"), list):
        form["items"] = [_part(item) for item in items]
    return form


def _part(schema: Any) -> Any:
    """Return a schema inside another: an empty one allows everything, not only objects."""
    return dict(ANYTHING) if schema == {} else _form(schema)


def _plain(schema: Mapping[str, Any]) -> JSONSchema:
    """Return the schema with those keywords that the converter should go by."""
    plain = dict(schema)
    if "prefixItems" in plain or plain.get("items") is True:
        plain.pop("items", None)
    match plain.get("allOf"):
        case [dict(only)] if not (set(only) & set(plain)):
            del plain["allOf"]
            plain = {**only, **plain}
    for keyword in ("anyOf", "oneOf"):
        has_shape = bool(_SHAPES & (set(plain) - {keyword}))
        if has_shape and _only_restrict(plain.get(keyword)):
            del plain[keyword]
    return plain


def _only_restrict(branches: Any) -> bool:
    if not isinstance(branches, list):
        return False
    return not any(isinstance(branch, dict) and _SHAPES & set(branch) for branch in branches)


def _refers_to_whole(form: JSONSchema) -> bool:
    return any(part.get("$ref") == "#" for part in every_object(form))


def _with_whole_named(form: JSONSchema) -> JSONSchema:
    """Return the schema under a name, because the converter knows no reference to the whole."""
    definitions = {name: form[name] for name in DEFINITIONS if name in form}
    whole = {name: part for name, part in form.items() if name not in definitions}
    named = {"$defs": {**definitions.pop("$defs", {}), _WHOLE: whole}, **definitions}
    renamed: JSONSchema = _renamed(named)
    return {**renamed, "$ref": f"#/$defs/{_WHOLE}"}


def _renamed(data: Any) -> Any:
    if isinstance(data, list):
        return [_renamed(item) for item in data]
    if not isinstance(data, dict):
        return data
    return {
        name: _new_reference(item) if name == "$ref" else _renamed(item)
        for name, item in data.items()
    }


def _new_reference(reference: Any) -> Any:
    if not isinstance(reference, str) or not reference.startswith("#"):
        return reference
    if reference.startswith(tuple(f"#/{name}/" for name in DEFINITIONS)):
        return reference
    return f"#/$defs/{_WHOLE}{reference[1:]}"
