"""A json_schema on real engines, from what a caller passes to what llama-server makes of it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.client_process import Connection, LlamaMCP
from tests.support.tiny_model import write_tiny_model

DRAFT = "http://json-schema.org/draft-0{}/schema#"
NEW_DRAFT = "https://json-schema.org/draft/{}/schema"
PICK = {"enum": [1, 2]}
# The reply that each leaves is short, whatever the model.
SCHEMAS: list[tuple[dict[str, Any], type]] = [
    ({"$schema": DRAFT.format(7), "type": "array", "items": [PICK], "minItems": 1}, list),
    ({"$schema": DRAFT.format(4), "enum": [1], "minimum": 0, "exclusiveMinimum": True}, int),
    (
        {
            "$schema": DRAFT.format(6),
            "definitions": {"n": {"const": 1}},
            "properties": {"n": {"$ref": "#/definitions/n"}},
            "required": ["n"],
        },
        dict,
    ),
    ({"$schema": NEW_DRAFT.format("2019-09"), "$defs": {"n": PICK}, "$ref": "#/$defs/n"}, int),
    ({"type": "array", "prefixItems": [PICK, PICK], "items": False}, list),
    ({"type": "object", "properties": {"next": {"$ref": "#"}, "n": PICK}, "required": ["n"]}, dict),
    ({"allOf": [PICK]}, int),
    ({"name": "pick", "strict": True, "schema": PICK}, int),
    ({"mood": "good|bad"}, dict),
]


@pytest.fixture
async def connection(llama_mcp: LlamaMCP, engine: str) -> AsyncIterator[Connection]:
    """The starter model: the tiny one's vocabulary is too poor for llama.cpp's grammars."""
    having = llama_mcp.having(MODEL_PATH="", LLAMA_CPP_PATH=engine)
    async with having.connect() as connection:
        await connection.call("start_llama_server")
        yield connection


async def test_real_engines_keep_to_schemas_of_every_draft_and_to_what_stands_for_one(
    connection: Connection,
) -> None:
    for schema, kind in SCHEMAS:
        reply = await connection.call(
            "chat",
            message="Pick.",
            json_schema=schema,
            temperature=0,
            max_tokens=60,
            wait_seconds=600,
        )
        assert isinstance(reply["parsed"], kind), (schema, reply)
        assert "does not keep" not in str(reply.get("notes")), (schema, reply)
    as_text = json.dumps(PICK)
    reply = await connection.call("chat", message="Pick.", json_schema=as_text, wait_seconds=600)
    assert reply["parsed"] in (1, 2)


async def test_limits_that_would_take_llama_server_down_are_refused_before_it_sees_them(
    connection: Connection,
) -> None:
    for schema in (
        {"type": "string", "minLength": 5, "maxLength": 3},
        {"type": "array", "items": {"type": "integer"}, "minItems": 5, "maxItems": 3},
        {"type": "string", "pattern": "^a{5,3}$"},
    ):
        refusal = await connection.refusal("chat", message="Hello", json_schema=schema)
        assert "json_schema contradicts itself" in refusal
    assert (await connection.call("status"))["state"] == "ready"


async def test_a_list_of_names_is_refused_with_the_object_of_fields_to_pass(
    connection: Connection,
) -> None:
    refusal = await connection.refusal("chat", message="Hello", json_schema=["name", "year"])
    assert "should be a JSON object" in refusal
    assert 'such as {"name": "string", "year": "string"}.' in refusal


async def test_a_model_whose_vocabulary_allows_no_grammar_is_named_as_such(
    llama_mcp: LlamaMCP, engine: str
) -> None:
    async with llama_mcp.having(LLAMA_CPP_PATH=engine).connect() as connection:
        await connection.call("start_llama_server")
        refusal = await connection.refusal("chat", message="Hello", json_schema={"n": "integer"})
        assert "this model and build of llama.cpp cannot keep to a json_schema" in refusal
        assert "Leave json_schema out" in refusal
        assert "parameter that it names" not in refusal
        assert (await connection.call("chat", message="Hello", max_tokens=3))["reply"]


REFUSING_TEMPLATE = (
    "{% if messages[0]['role'] == 'system' and messages[0]['content'] == 'no' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}{% if m['content'] == 'no' %}"
    "{{ raise_exception('No user query found in messages.') }}{% endif %}"
    "<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}<assistant>"
)


async def test_a_template_that_refuses_is_named_with_its_own_words_and_a_way_out(
    llama_mcp: LlamaMCP, engine: str, tmp_path: Path
) -> None:
    model = write_tiny_model(tmp_path / "refusing.gguf", chat_template=REFUSING_TEMPLATE)
    having = llama_mcp.having(LLAMA_CPP_PATH=engine, MODEL_PATH=str(model))
    async with having.connect() as connection:
        await connection.call("start_llama_server")
        refusal = await connection.refusal("chat", message="no")
        assert 'chat template refuses user: "No user query found in messages.' in refusal
        assert '["--chat-template", "chatml"]' in refusal
        refusal = await connection.refusal("chat", message="yes", system_prompt="no")
        assert 'refuses system, user: "System role not supported' in refusal
        assert "Put the system prompt into the message" in refusal
        # The schema is not blamed for what the template refuses.
        refusal = await connection.refusal("chat", message="no", json_schema={"n": "integer"})
        assert "json_schema" not in refusal
