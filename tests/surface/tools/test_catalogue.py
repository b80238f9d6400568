"""The catalogue of tools: small, complete enough to act on, and true of what the tools give."""

import json
from typing import Any

import pytest
from mcp.types import Tool
from pydantic import BaseModel

from llama_mcp.llama_server.status import ServerConfig, ServerLog, ServerStatus
from llama_mcp.observing.figures import ServerMetrics
from llama_mcp.sessions.records import Session, SessionList, TranscriptPage
from llama_mcp.settings import Settings
from llama_mcp.surface.server import build_server
from llama_mcp.turns.reply import ChatReply

MAX_BYTES = 14 * 1024
RESULTS: tuple[type[BaseModel], ...] = (
    ServerStatus,
    ServerConfig,
    ChatReply,
    SessionList,
    TranscriptPage,
    Session,
    ServerMetrics,
    ServerLog,
)


@pytest.fixture
async def tools() -> list[Tool]:
    return await build_server(Settings()).list_tools()


async def test_the_whole_catalogue_stays_below_14_kib(tools: list[Tool]) -> None:
    sizes = {
        tool.name: len(tool.model_dump_json(by_alias=True, exclude_none=True)) for tool in tools
    }
    assert sum(sizes.values()) <= MAX_BYTES, sizes


async def test_every_tool_says_what_it_is_does_takes_and_gives(tools: list[Tool]) -> None:
    for tool in tools:
        assert tool.title and tool.description, tool.name
        assert "  " not in tool.description, tool.name
        assert tool.annotations is not None and tool.annotations.open_world_hint is False
        assert tool.output_schema is not None and tool.output_schema["type"] == "object"
        for name, schema in tool.input_schema["properties"].items():
            assert schema["description"], (tool.name, name)
            assert "type" in schema, (tool.name, name)


async def test_no_schema_refers_to_a_definition(tools: list[Tool]) -> None:
    for tool in tools:
        assert "$" not in json.dumps([tool.input_schema, tool.output_schema]), tool.name


async def test_every_result_is_spelled_out_once_and_named_by_all_tools_that_give_it(
    tools: list[Tool],
) -> None:
    spelled_out: dict[str, Any] = {}
    for tool in tools:
        schema = tool.output_schema or {}
        if "properties" in schema:
            assert spelled_out.setdefault(schema["title"], schema) is schema, tool.name
        else:
            assert schema["required"] == spelled_out[schema["title"]]["required"], tool.name
    fields = {name: set(schema["properties"]) for name, schema in spelled_out.items()}
    assert fields == {result.__name__: set(result.model_fields) for result in RESULTS}


async def test_what_a_client_must_pass_has_no_default_and_what_it_may_is_not_required(
    tools: list[Tool],
) -> None:
    required = {tool.name: tool.input_schema.get("required", []) for tool in tools}
    assert {name: names for name, names in required.items() if names} == {
        "chat": ["message"],
        **dict.fromkeys(
            [
                "wait_for_reply",
                "cancel_reply",
                "read_session",
                "update_session",
                "fork_session",
                "delete_session",
            ],
            ["session_id"],
        ),
    }
