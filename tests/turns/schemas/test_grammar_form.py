"""What is sent of a schema is what llama.cpp's converter reads rightly."""

from typing import Any

import pytest

from llama_mcp.turns.schemas.grammar_form import grammar_form
from llama_mcp.turns.schemas.type_words import ANYTHING

INTEGER = {"type": "integer"}
STRING = {"type": "string"}


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object", "properties": {"n": INTEGER}, "required": ["n"]},
        {"items": [STRING, INTEGER]},
        {"anyOf": [STRING, INTEGER]},
        {"allOf": [{"properties": {"a": STRING}}, {"properties": {"b": STRING}}]},
        {"definitions": {"a": INTEGER}, "$ref": "#/definitions/a"},
    ],
    ids=str,
)
def test_what_is_read_rightly_is_sent_as_it_is(schema: dict[str, Any]) -> None:
    assert grammar_form(schema) == schema


@pytest.mark.parametrize(
    ("schema", "form"),
    [
        ({"prefixItems": [STRING], "items": False}, {"prefixItems": [STRING]}),
        ({"type": "array", "items": True}, {"type": "array"}),
        ({"items": {}}, {"items": ANYTHING}),
        ({"properties": {"a": True, "b": {}}}, {"properties": {"a": ANYTHING, "b": ANYTHING}}),
        ({"allOf": [{"$ref": "#/$defs/a"}], "title": "A"}, {"$ref": "#/$defs/a", "title": "A"}),
        (
            {"properties": {"a": STRING}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
            {"properties": {"a": STRING}},
        ),
        ({"$schema": "http://json-schema.org/draft-07/schema#", **INTEGER}, INTEGER),
    ],
    ids=str,
)
def test_what_is_read_wrongly_is_said_otherwise(
    schema: dict[str, Any], form: dict[str, Any]
) -> None:
    assert grammar_form(schema) == form


def test_a_reference_to_the_whole_becomes_one_by_name() -> None:
    tree = {
        "$defs": {"leaf": INTEGER},
        "type": "object",
        "properties": {"leaf": {"$ref": "#/$defs/leaf"}, "next": {"$ref": "#"}},
    }
    whole = {
        "type": "object",
        "properties": {"leaf": {"$ref": "#/$defs/leaf"}, "next": {"$ref": "#/$defs/whole"}},
    }
    assert grammar_form(tree) == {
        "$defs": {"leaf": INTEGER, "whole": whole},
        "$ref": "#/$defs/whole",
    }
