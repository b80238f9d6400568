"""Which data is put together without the model, and how."""

from typing import Any

import pytest

from llama_mcp.turns.jobs.merging import merging_of

TEXTS = {"type": "array", "items": {"type": "string"}}


def schema_of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


@pytest.mark.parametrize(
    ("schema", "items", "whole"),
    [
        (TEXTS, [["a"], [], ["b", "a"]], ["a", "b", "a"]),
        ({**TEXTS, "uniqueItems": True}, [["a"], ["b", "a"]], ["a", "b"]),
        (schema_of(x=TEXTS), [{"x": ["a"]}, {"x": ["b"]}], {"x": ["a", "b"]}),
        (schema_of(x={"type": ["array", "null"]}), [{"x": None}, {"x": [1]}], {"x": [1]}),
        (
            schema_of(x=TEXTS, y=schema_of(z=TEXTS)),
            [{"x": ["a"], "y": {"z": ["b"]}}, {"y": {"z": ["c"]}}],
            {"x": ["a"], "y": {"z": ["b", "c"]}},
        ),
        (
            {**schema_of(x={"$ref": "#/$defs/texts"}), "$defs": {"texts": TEXTS}},
            [{"x": ["a"]}, {"x": ["b"]}],
            {"x": ["a", "b"]},
        ),
        (schema_of(x=TEXTS), [{}, {}], {}),
    ],
)
def test_lists_are_joined_in_order(schema: Any, items: list[Any], whole: Any) -> None:
    merging = merging_of(schema)
    assert merging is not None and merging.rest is None
    assert merging.lists(items) == whole


def test_other_fields_of_an_object_are_left_to_the_model() -> None:
    schema = schema_of(title={"type": "string"}, x=TEXTS, count={"type": "integer"})
    merging = merging_of(schema)
    assert merging is not None and merging.rest is not None
    assert list(merging.rest["properties"]) == merging.rest["required"] == ["title", "count"]
    items = [{"title": "t", "x": ["a"], "count": 1}, {"title": "u", "x": ["b"], "count": 2}]
    assert merging.others(items[0]) == {"title": "t", "count": 1}
    whole = merging.whole(items, {"title": "v", "count": 3})
    assert list(whole.items()) == [("title", "v"), ("x", ["a", "b"]), ("count", 3)]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"enum": [1, 2]},
        schema_of(title={"type": "string"}),
        {**schema_of(x=TEXTS, title={}), "anyOf": [{}]},
        {"$ref": "#/$defs/nowhere"},
        {"$ref": "https://elsewhere"},
        {"type": "object"},
    ],
)
def test_anything_else_is_put_together_by_the_model(schema: Any) -> None:
    assert merging_of(schema) is None
