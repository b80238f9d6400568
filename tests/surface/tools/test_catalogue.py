"""The catalogue of tools: small, complete enough to act on, and true of what the tools give."""

import json
from typing import Any

import pytest
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import Tool
from pydantic import BaseModel

from llama_mcp.llama_server.status import ServerConfig, ServerLog, ServerStatus
from llama_mcp.models.download.download import Download
from llama_mcp.observing.figures import ServerMetrics
from llama_mcp.observing.model_list import ModelList
from llama_mcp.ranking.ranking import Ranking
from llama_mcp.sessions.records import SessionList, TranscriptPage
from llama_mcp.settings import Settings
from llama_mcp.surface.results.files import ToldFiles
from llama_mcp.surface.results.replies import ToldReply
from llama_mcp.surface.results.session_results import ToldSession
from llama_mcp.surface.server import build_server
from llama_mcp.surface.tools.dashboard import DashboardShown
from llama_mcp.toolsets import PAGE_TOOLS

# What a model is given. For 19 tools the design allows 17 KiB, and 8 KiB for the two toolsets that
# nobody does without.
MAX_BYTES = 17 * 1024
MAX_BYTES_OF_THE_FIRST = 8 * 1024
# Of what tells a host which tools to show, when, and with which page. No model is given it: it
# costs the pipe only.
MAX_BYTES_OF_META = 1408
FIRST = {
    "start_llama_server",
    "stop_llama_server",
    "status",
    "get_config",
    "chat",
    "wait_for_reply",
    "cancel_reply",
}
RESULTS: tuple[type[BaseModel], ...] = (
    ServerStatus,
    ServerConfig,
    ToldReply,
    ToldFiles,
    SessionList,
    TranscriptPage,
    ToldSession,
    ModelList,
    Download,
    Ranking,
    ServerMetrics,
    ServerLog,
    DashboardShown,
)


@pytest.fixture
async def all_tools() -> list[Tool]:
    return await build_server(Settings()).list_tools()


@pytest.fixture
async def tools(all_tools: list[Tool]) -> list[Tool]:
    """Those that a model is shown."""
    return [tool for tool in all_tools if tool.name not in PAGE_TOOLS]


async def test_the_catalogue_is_no_larger_than_an_agent_can_pay_for(tools: list[Tool]) -> None:
    sizes = {
        tool.name: len(tool.model_dump_json(by_alias=True, exclude_none=True, exclude={"meta"}))
        for tool in tools
    }
    assert sum(sizes.values()) <= MAX_BYTES, sizes
    assert sum(sizes[name] for name in FIRST) <= MAX_BYTES_OF_THE_FIRST, sizes
    assert sum(len(json.dumps({"_meta": tool.meta})) for tool in tools) <= MAX_BYTES_OF_META


async def test_a_host_that_shows_few_tools_shows_what_an_agent_needs_and_finds_the_others(
    tools: list[Tool],
) -> None:
    meta = {tool.name: tool.meta or {} for tool in tools}
    at_once = [name for name, told in meta.items() if told.get("anthropic/alwaysLoad") is True]
    assert at_once == ["start_llama_server", "chat", "wait_for_reply"]
    for name in meta.keys() - set(at_once):
        hint = meta[name]["anthropic/searchHint"]
        assert hint and len(hint) <= 50 and "\n" not in hint, name


async def test_the_catalogue_is_the_same_whatever_an_operator_sets(all_tools: list[Tool]) -> None:
    assert all_tools == await build_server(Settings(wait_seconds=5)).list_tools()


async def test_the_catalogue_is_the_same_whatever_was_called_before(all_tools: list[Tool]) -> None:
    server = build_server(Settings())
    for called, complaint in (("status", "has no parameter"), ("nonsense", "There are: ")):
        with pytest.raises(ToolError, match=complaint):
            await server.call_tool(called, {"nonsense": 1})
    assert all_tools == await server.list_tools()


async def test_a_tool_that_can_end_or_overwrite_something_says_so(tools: list[Tool]) -> None:
    destructive = {
        tool.name for tool in tools if tool.annotations and tool.annotations.destructive_hint
    }
    assert destructive == {
        "start_llama_server",  # with replace
        "stop_llama_server",
        "chat",  # with overwrite
        "cancel_reply",
        "run_on_files",  # with overwrite
        "update_session",
        "delete_session",
    }


async def test_every_tool_says_what_it_is_does_takes_and_gives(tools: list[Tool]) -> None:
    for tool in tools:
        assert tool.title and tool.description, tool.name
        assert "  " not in tool.description, tool.name
        assert tool.annotations is not None
        # To the specification a world is open unless that is denied.
        is_closed = tool.annotations.open_world_hint is False
        assert is_closed == (tool.name != "download_model"), tool.name
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
            assert schema["title"] in spelled_out, tool.name
    fields = {name: set(schema["properties"]) for name, schema in spelled_out.items()}
    assert fields == {
        result.model_json_schema()["title"]: set(result.model_fields) for result in RESULTS
    }


async def test_what_a_client_must_pass_has_no_default_and_what_it_may_is_not_required(
    tools: list[Tool],
) -> None:
    required = {tool.name: tool.input_schema.get("required", []) for tool in tools}
    assert {name: names for name, names in required.items() if names} == {
        "chat": ["message"],
        "rank_texts": ["query"],
        "run_on_files": ["instruction", "files"],
        "download_model": ["model"],
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
