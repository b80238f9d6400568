"""A json_schema comes from an agent and the reply from a model: neither can do any harm."""

import socket
import subprocess
import sys
from typing import Any

import anyio
import psutil
import pytest

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.turns.chat_request import Sampling
from llama_mcp.turns.json_schema import (
    MAX_DEPTH,
    ParsedReply,
    check_schema,
    data_of,
    parse_reply,
)
from llama_mcp.turns.schema_check import ENDED_BY_LIMIT, PROGRAM
from tests.support.processes import PATIENCE_SECONDS, until

# Each level doubles what is to be checked.
MULTIPLYING = {
    "$defs": {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    | {"d40": {}},
    "$ref": "#/$defs/d0",
}
ENDLESS = {"pattern": "^(a|a)*$"}
A_REPLY_OF_A = '"' + "a" * 40 + '!"'


async def parsed(schema: dict[str, Any], text: str) -> ParsedReply:
    return await parse_reply(text, Sampling(json_schema=schema))


async def test_nothing_that_a_schema_refers_to_is_fetched() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        schema = {"$ref": f"http://127.0.0.1:{listener.getsockname()[1]}/x"}
        await check_schema(schema)
        reply = await parsed(schema, "1")
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert (reply.data, len(reply.notes)) == (1, 1)
    assert "could not be checked against json_schema: Unresolvable" in reply.notes[0]


async def test_a_schema_may_refer_to_the_schema_of_schemas() -> None:
    schema = {"$ref": "https://json-schema.org/draft/2020-12/schema"}
    reply = await parsed(schema, '{"type": "object"}')
    assert reply == ParsedReply({"type": "object"}, is_whole=True)


async def test_a_reply_that_breaks_the_schema_is_given_with_the_reason() -> None:
    reply = await parsed({"type": "object", "required": ["ä"]}, '{"ö": 1}')
    assert reply.data == {"ö": 1}
    assert reply.notes == ("The reply does not keep to json_schema: 'ä' is a required property",)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
async def test_a_number_that_json_or_a_float_does_not_have_is_told_and_never_becomes_null(
    number: str,
) -> None:
    text = f'{{"n": {number}}}'
    reply = await parsed({"type": "object"}, text)
    assert reply.data is None and reply.miss is not None and number in reply.notes[0]
    assert data_of(text) is None


@pytest.mark.parametrize("schema", [ENDLESS, MULTIPLYING])
async def test_a_check_that_would_take_for_ever_is_given_up_and_the_reply_is_there(
    schema: dict[str, Any],
) -> None:
    await check_schema(schema)
    reply = await parse_reply(A_REPLY_OF_A, Sampling(json_schema=schema), limit_seconds=0.5)
    assert reply.data == "a" * 40 + "!"
    problem = "The reply could not be checked against json_schema: it takes longer than 0.5 s"
    assert reply.notes == (problem,)


async def test_a_check_does_not_hold_up_anything_else_and_ends_when_it_is_cancelled() -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(parsed, ENDLESS, A_REPLY_OF_A)
            await until(lambda: bool(checks_under_way()), "the check runs")
            tasks.cancel_scope.cancel()
    await until(lambda: not checks_under_way(), "the check has ended")


def test_a_check_ends_by_itself_when_whoever_asked_for_it_is_gone() -> None:
    """Its limit is its own: nobody reads its answer, and its time is still over."""
    question = (
        f'{{"schema": {{"pattern": "^(a|a)*$"}}, "limit_seconds": 0.1, "data": {A_REPLY_OF_A}}}'
    )
    with subprocess.Popen(
        [sys.executable, "-P", "-m", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as check:
        assert check.stdin is not None
        check.stdin.write(question.encode())
        check.stdin.close()
        assert check.wait(PATIENCE_SECONDS) == ENDED_BY_LIMIT


async def test_a_schema_that_is_none_is_refused_with_the_reason() -> None:
    with pytest.raises(InvalidArgumentError, match="is not a JSON schema .'cat' is not valid"):
        await check_schema({"type": "cat"})


async def test_a_type_that_there_is_none_of_is_refused_with_those_that_there_are() -> None:
    nested = {"type": "object", "properties": {"type": {"type": "strng"}}}
    for schema in ({"type": "strng"}, nested):
        with pytest.raises(
            InvalidArgumentError, match="'strng'.*types are array, boolean, .*string"
        ):
            await check_schema(schema)


async def test_a_schema_that_is_nested_too_deeply_is_refused_in_words() -> None:
    schema: dict[str, Any] = {}
    for _ in range(300):
        schema = {"properties": {"a": schema}}
    with pytest.raises(InvalidArgumentError, match="nested too deeply"):
        await check_schema(schema)


@pytest.mark.parametrize(("depth", "is_given"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False)])
async def test_data_that_no_client_could_read_is_left_to_the_text(
    depth: int, is_given: bool
) -> None:
    reply = await parsed({}, "[" * depth + "]" * depth)
    assert (reply.data is not None) == is_given
    assert any("too deeply" in note for note in reply.notes) != is_given


def checks_under_way() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if _is_check(child)]


def _is_check(child: psutil.Process) -> bool:
    try:
        return PROGRAM in " ".join(child.cmdline())
    except psutil.Error:  # it has ended
        return False


DRAFT = "http://json-schema.org/draft-0{}/schema#"
NEW_DRAFT = "https://json-schema.org/draft/{}/schema"


@pytest.mark.parametrize(
    ("schema", "kept", "missed"),
    [
        ({"items": [{"type": "string"}], "additionalItems": False}, '["a"]', '["a", 1]'),
        ({"$schema": DRAFT.format(7), "items": [{"type": "string"}]}, '["a", 1]', "[1]"),
        ({"$schema": DRAFT.format(6), "const": 5}, "5", "6"),
        ({"$schema": DRAFT.format(4), "minimum": 0, "exclusiveMinimum": True}, "1", "0"),
        ({"minimum": 0, "exclusiveMinimum": True}, "1", "0"),
        ({"exclusiveMinimum": 0}, "1", "0"),
        ({"dependencies": {"a": ["b"]}}, '{"a": 1, "b": 1}', '{"a": 1}'),
        ({"dependentRequired": {"a": ["b"]}}, '{"a": 1, "b": 1}', '{"a": 1}'),
        ({"$schema": NEW_DRAFT.format("2019-09"), "items": [{"type": "string"}]}, '["a"]', "[1]"),
        ({"$schema": NEW_DRAFT.format("2020-12"), "prefixItems": [{"const": 1}]}, "[1]", "[2]"),
        # Each draft ignores what came after it.
        ({"$schema": DRAFT.format(4), "const": 5, "type": "integer"}, "6", '"6"'),
    ],
    ids=str,
)
async def test_a_schema_is_judged_by_the_draft_that_it_names_or_needs(
    schema: dict[str, Any], kept: str, missed: str
) -> None:
    await check_schema(schema)
    assert (await parsed(schema, kept)).is_whole
    assert "does not keep to json_schema" in (await parsed(schema, missed)).notes[0]


@pytest.mark.parametrize(
    "schema",
    [
        {"$schema": NEW_DRAFT.format("2020-12"), "items": [{"type": "string"}]},
        {"$schema": DRAFT.format(4), "exclusiveMinimum": 5, "minimum": 1},
        {"$schema": DRAFT.format(7), "exclusiveMinimum": True},
    ],
    ids=str,
)
async def test_what_another_draft_would_allow_is_refused_in_the_one_that_is_named(
    schema: dict[str, Any],
) -> None:
    with pytest.raises(InvalidArgumentError, match="is not a JSON schema"):
        await check_schema(schema)


async def test_every_fault_of_a_reply_is_told_with_its_place() -> None:
    schema = {"properties": {"a": {"type": "integer"}, "b": {"items": {"maximum": 1}}}}
    reply = await parsed(schema, '{"a": "x", "b": [5]}')
    assert reply.miss == (
        "'x' is not of type 'integer' (at a); 5 is greater than the maximum of 1 (at b[0])"
    )
