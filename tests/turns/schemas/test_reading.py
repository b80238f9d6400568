"""What agents pass as json_schema is taken for what it means, or refused with the right form."""

from typing import Any

import pytest

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.turns.schemas.reading import read_schema
from llama_mcp.turns.schemas.type_words import ANYTHING

INTEGER = {"type": "integer"}
STRING = {"type": "string"}
PERSON = {"type": "object", "properties": {"a": INTEGER}, "required": ["a"]}


def an_object_of(**fields: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    "schema",
    [
        PERSON,
        {"type": ["string", "null"]},
        {"enum": ["a", "b"]},
        {"const": "string"},
        {"$ref": "#/$defs/a", "$defs": {"a": INTEGER}},
        {"type": "array", "prefixItems": [STRING, INTEGER]},
        {"items": [STRING, INTEGER]},
        {"title": "Name", "type": "string", "example": "string"},
        # Fields whose names are keywords, and parts that only describe.
        {"properties": {"type": STRING, "items": {"title": "Any"}, "x": {}, "y": {"x-k": "v"}}},
        {"type": "string", "x-order": 1, "nullable": True},
        {"anyOf": [STRING, {"type": "null"}], "default": None},
        {"type": "object", "default": {"type": "string"}, "properties": {"a": STRING}},
        {"properties": {"default": STRING, "title": STRING, "enum": STRING}},
    ],
    ids=str,
)
def test_a_schema_is_left_as_it_is_without_a_word(schema: dict[str, Any]) -> None:
    read = read_schema(schema)
    assert (read.schema, read.notes) == (schema, ())


@pytest.mark.parametrize(
    "wrapper",
    [
        {"name": "person", "strict": True, "schema": PERSON},
        {"schema": PERSON},
        {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}},
        {"type": "json_schema", "name": "person", "schema": PERSON},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": PERSON}}},
        {"type": "json_object", "schema": PERSON},
        {"name": "f", "description": "d", "input_schema": PERSON},
        {"type": "function", "function": {"name": "f", "parameters": PERSON}},
    ],
    ids=str,
)
def test_a_schema_is_taken_out_of_its_wrapper(wrapper: dict[str, Any]) -> None:
    read = read_schema(wrapper)
    assert read.schema == PERSON
    assert "taken out of its wrapper" in " ".join(read.notes)


def test_a_format_that_only_asks_for_json_is_any_object() -> None:
    assert read_schema({"type": "json_object"}).schema == {"type": "object"}


@pytest.mark.parametrize(
    ("fields", "meant"),
    [
        ({"name": "string", "year": "integer"}, an_object_of(name=STRING, year=INTEGER)),
        ({"a": STRING, "b": INTEGER}, an_object_of(a=STRING, b=INTEGER)),
        ({"title": "string", "type": "text", "n": "int"}, None),
        ({"title": STRING, "type": STRING, "n": INTEGER}, None),
        ({"title": STRING, "id": INTEGER}, an_object_of(title=STRING, id=INTEGER)),
        ({"id": "integer", "format": "string"}, an_object_of(id=INTEGER, format=STRING)),
        (
            {"born": {"year": "integer"}, "tags": ["string"]},
            an_object_of(born=an_object_of(year=INTEGER), tags={"type": "array", "items": STRING}),
        ),
        ({"n": "number|null"}, an_object_of(n={"type": ["number", "null"]})),
        ({"n": "integer?"}, an_object_of(n={"type": ["integer", "null"]})),
        ({"n": ["string", "null"]}, an_object_of(n={"type": ["string", "null"]})),
        ({"t": "list[str]"}, an_object_of(t={"type": "array", "items": STRING})),
        ({"t": "string[]"}, an_object_of(t={"type": "array", "items": STRING})),
        ({"t": "array of integers"}, an_object_of(t={"type": "array", "items": INTEGER})),
        ({"d": "date"}, an_object_of(d={"type": "string", "format": "date"})),
        ({"m": "good|bad"}, an_object_of(m={"enum": ["good", "bad"]})),
        (
            {"y": "integer (year of birth)"},
            an_object_of(y={"type": "integer", "description": "year of birth"}),
        ),
        (
            {"y": "Year of birth", "n": 5},
            an_object_of(y={"type": "string", "description": "Year of birth"}, n=INTEGER),
        ),
        (
            {"year": 1815, "share": 1.5, "ok": True, "none": None, "all": []},
            an_object_of(
                year=INTEGER,
                share={"type": "number"},
                ok={"type": "boolean"},
                none=ANYTHING,
                all={"type": "array"},
            ),
        ),
        (
            {"people": [{"age": 1}, {"age": 2}]},
            an_object_of(people={"type": "array", "items": an_object_of(age=INTEGER)}),
        ),
        ({"type": "object", "n": "integer"}, an_object_of(n=INTEGER)),
        ({"required": ["n"], "n": "integer"}, an_object_of(n=INTEGER)),
        ({"title": "Person", "n": "integer"}, {"title": "Person", **an_object_of(n=INTEGER)}),
        ({"properties": {"n": "integer"}}, {"properties": {"n": INTEGER}}),
        ({"type": "array", "items": "string"}, {"type": "array", "items": STRING}),
        ({"type": "int"}, INTEGER),
    ],
    ids=str,
)
def test_field_names_are_taken_for_the_schema_that_they_mean(
    fields: dict[str, Any], meant: dict[str, Any] | None
) -> None:
    read = read_schema(fields)
    assert read.schema == (meant or an_object_of(title=STRING, type=STRING, n=INTEGER))
    assert "taken for {" in " ".join(read.notes)


def test_a_field_with_a_question_mark_is_optional() -> None:
    assert read_schema({"a": "string", "b?": "string"}).schema["required"] == ["a"]


@pytest.mark.parametrize(
    ("given", "form"),
    [
        ({"color": ["red", "green"]}, '"color": {"enum": ["red", "green"]}'),
        ({"type": "string", "name": "string"}, '"properties": {"type": {"type": ...}'),
        ({"items": {"type": "string"}, "total": "integer"}, '"properties"'),
        ({"items": [{"a": 1}], "total": 5}, '"properties"'),
        ({"mixed": [1, "x"]}, '"mixed": {"type": "array"}'),
    ],
    ids=str,
)
def test_what_may_mean_one_thing_or_another_is_refused_with_the_right_form(
    given: dict[str, Any], form: str
) -> None:
    with pytest.raises(InvalidArgumentError, match="is ambiguous") as refused:
        read_schema(given)
    assert form in str(refused.value)


@pytest.mark.parametrize("schema", [{}, {"description": "A person"}, {"title": "Person"}])
def test_a_schema_that_constrains_nothing_is_told(schema: dict[str, Any]) -> None:
    (note,) = read_schema(schema).notes
    assert "constrains nothing" in note and '"properties"' in note


def test_unknown_keywords_beside_known_ones_are_told() -> None:
    (note,) = read_schema({"type": "object", "name": "Ada"}).notes
    assert note == "No keyword of JSON Schema, and without effect: name."


@pytest.mark.parametrize(
    "schema",
    [{"type": "nonsense"}, {"required": "n"}, {"properties": 5}, {"enum": "a"}],
    ids=str,
)
def test_a_keyword_with_an_impossible_value_is_left_to_the_check(schema: dict[str, Any]) -> None:
    assert read_schema(schema).schema == schema


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "minLength": 5, "maxLength": 3},
        {"type": "array", "minItems": 5, "maxItems": 3},
        {"type": "string", "pattern": "^a{5,3}$"},
        {"type": "integer", "minimum": 5, "maximum": 3},
        {"type": "integer", "exclusiveMinimum": 3, "maximum": 3},
        {"minProperties": 2, "maxProperties": 1},
        # Wherever a reference may make a schema of it.
        {"$ref": "#/parts/a", "parts": {"a": {"minItems": 5, "maxItems": 3}}},
        {"properties": {"default": {"minLength": 5, "maxLength": 3}}},
    ],
    ids=str,
)
def test_limits_that_contradict_each_other_never_reach_llama_server(
    schema: dict[str, Any],
) -> None:
    with pytest.raises(InvalidArgumentError, match="contradicts itself"):
        read_schema(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "minimum": 3, "maximum": 3},
        {"minimum": 0, "exclusiveMinimum": True, "maximum": 5},
        {"pattern": "^a{3,5}b{2}$"},
        {"properties": {"minLength": {"type": "integer"}, "maxLength": {"type": "integer"}}},
    ],
    ids=str,
)
def test_limits_that_leave_something_are_taken(schema: dict[str, Any]) -> None:
    assert read_schema(schema).schema == schema


def test_field_names_nested_too_deeply_are_refused_in_words() -> None:
    fields: dict[str, Any] = {"a": "string"}
    for _ in range(5000):
        fields = {"a": fields}
    with pytest.raises(InvalidArgumentError, match="nested too deeply"):
        read_schema(fields)
