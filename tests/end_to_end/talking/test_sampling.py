"""What the caller sets reaches llama-server exactly, and what is unset is left to it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.fake_llama_server.install import install_fake, received_requests
from tests.fake_llama_server.running import CHAT
from tests.support.client_process import Connection, LlamaMCP

OBJECT = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
# Each parameter at its limits and in between; what is falsy must not be taken for unset.
VALUES: list[tuple[str, Any]] = [
    ("temperature", 0),
    ("temperature", 0.7),
    ("temperature", 2),
    ("top_p", 0),
    ("top_p", 0.95),
    ("top_p", 1),
    ("top_k", 0),
    ("top_k", 40),
    ("top_k", 2**31 - 1),
    ("min_p", 0),
    ("min_p", 0.05),
    ("min_p", 1),
    ("max_tokens", 1),
    ("max_tokens", 2**31 - 1),
    ("seed", 0),
    ("seed", 2**32 - 2),
    ("stop", ["\n\n", "</s>", "\u00fc", "\U0001f600"]),
    ("json_schema", OBJECT),
    ("thinking", True),
    ("thinking", False),
]
TOGETHER = dict(VALUES)
WINDOW = 1024
# JSON schemas that llama-server cannot make a grammar of.
BEYOND_LLAMA_SERVER: list[dict[str, Any]] = [
    {"type": "object", "properties": {"a": {"$ref": "#/$defs/nowhere"}}},
    {"$ref": "https://example.com/schema.json"},
    {"enum": []},
]
# What a request holds beside them: the conversation, and how llama-server is to answer.
NOT_SAMPLING = {"messages", "stream", "stream_options", "return_progress", "cache_prompt"}


def as_sent(given: dict[str, Any], room: int) -> dict[str, Any]:
    """Return the parameters under the names that llama-server has for them.

    Args:
        given: as chat takes them.
        room: what the window has left for the reply, in tokens.
    """
    sent = dict(given)
    if "max_tokens" in sent:
        sent["max_tokens"] = min(sent["max_tokens"], room)
    if "json_schema" in sent:
        # Nested: the flat form of llama-server's README is ignored by it.
        schema = {"schema": sent.pop("json_schema")}
        sent["response_format"] = {"type": "json_schema", "json_schema": schema}
    if "thinking" in sent:
        sent["chat_template_kwargs"] = {"enable_thinking": sent.pop("thinking")}
    return sent


@pytest.fixture
async def connection(llama_mcp: LlamaMCP, fake_folder: Path) -> AsyncIterator[Connection]:
    fake = install_fake(fake_folder, reply='{"n": 1}')
    having = llama_mcp.having(LLAMA_CPP_PATH=str(fake), CTX_SIZE=str(WINDOW))
    async with having.connect() as connection:
        await connection.call("start_llama_server")
        yield connection


def chats(folder: Path) -> list[dict[str, Any]]:
    """Return the body of every chat that llama-server got."""
    return [request["body"] for request in received_requests(folder) if request["path"] == CHAT]


def sampling_of(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in NOT_SAMPLING}


async def test_each_parameter_alone_and_all_together_reach_llama_server_as_they_are(
    connection: Connection, fake_folder: Path
) -> None:
    asked = [{}, *({name: value} for name, value in VALUES), TOGETHER]
    for number, given in enumerate(asked):
        reply = await connection.call("chat", message="Hello", **given)
        bodies = chats(fake_folder)
        assert len(bodies) == number + 1
        room = WINDOW - reply["usage"]["prompt_tokens"]
        assert sampling_of(bodies[-1]) == as_sent(given, room)
        page = await connection.call("read_session", session_id=reply["session_id"])
        assert page["turns"][0].get("sampling", {}) == given
    # A later turn of a session takes nothing over from the one before it.
    await connection.call("chat", message="And?", session_id=reply["session_id"])
    assert sampling_of(chats(fake_folder)[-1]) == {}


async def test_real_engines_take_each_parameter_and_keep_their_own_for_what_is_unset(
    llama_mcp: LlamaMCP, engine: str
) -> None:
    """llama-server tells in /slots what the last reply in each was drawn with."""
    given: dict[str, Any] = {
        "temperature": 0.25,
        "top_p": 0.5,
        "top_k": 7,
        "min_p": 0.125,
        "max_tokens": 3,
        "seed": 4242,
    }
    having = llama_mcp.having(LLAMA_CPP_PATH=engine, PARALLEL="1")
    async with having.connect() as connection, httpx2.AsyncClient(trust_env=False) as client:
        url = (await connection.call("start_llama_server"))["url"]
        props = (await client.get(f"{url}/props")).json()
        own = props["default_generation_settings"]["params"]
        for asked in (given, {"max_tokens": 3}, *({name: given[name]} for name in given)):
            await connection.call("chat", message="Hello", **{"max_tokens": 2, **asked})
            (slot,) = (await client.get(f"{url}/slots")).json()
            expected = {name: own[name] for name in given} | {"max_tokens": 2} | asked
            assert {name: slot["params"][name] for name in given} == pytest.approx(expected)


async def test_stop_texts_end_a_reply_on_real_engines_and_are_not_part_of_it(
    llama_mcp: LlamaMCP, engine: str
) -> None:
    async with llama_mcp.having(LLAMA_CPP_PATH=engine).connect() as connection:
        await connection.call("start_llama_server")
        ask: dict[str, Any] = {"message": "Hello", "temperature": 0, "seed": 1, "max_tokens": 60}
        whole = (await connection.call("chat", **ask))["reply"]
        stop = whole[20:24]
        cut = await connection.call("chat", stop=["never said", stop], **ask)
        assert "finish_reason" not in cut  # the model ended it itself
        assert cut["reply"] == whole[: whole.index(stop)]


async def test_one_stop_text_may_come_without_a_list_and_none_may_be_empty(
    connection: Connection, fake_folder: Path
) -> None:
    await connection.call("chat", message="Hello", stop="\n\n")
    assert chats(fake_folder)[-1]["stop"] == ["\n\n"]
    for stop in ("", [""]):
        refusal = await connection.refusal("chat", message="Hello", stop=stop)
        assert "stop.0" in refusal and "at least 1 character" in refusal


async def test_a_schema_that_is_none_is_refused_before_anything_is_sent(
    connection: Connection, fake_folder: Path
) -> None:
    for schema in ({"type": "nonsense"}, {"required": "n"}, {"properties": 5}, {"enum": "a"}):
        refusal = await connection.refusal("chat", message="Hello", json_schema=schema)
        assert "json_schema is not a JSON schema" in refusal
    assert chats(fake_folder) == []
    assert (await connection.call("list_sessions"))["total"] == 0


async def test_a_schema_that_llama_server_cannot_take_is_refused_before_anything_is_sent(
    llama_mcp: LlamaMCP, engine: str
) -> None:
    async with llama_mcp.having(LLAMA_CPP_PATH=engine).connect() as connection:
        url = (await connection.call("start_llama_server"))["url"]
        for schema in BEYOND_LLAMA_SERVER:
            refusal = await connection.refusal("chat", message="Hello", json_schema=schema)
            assert "json_schema" in refusal, (schema, refusal)
        assert (await connection.call("list_sessions"))["total"] == 0
        async with httpx2.AsyncClient(trust_env=False) as client:
            slots = (await client.get(f"{url}/slots")).json()
        # A slot that has had a task names it.
        assert not any("id_task" in slot for slot in slots)
