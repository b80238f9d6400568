"""Whatever sets of tools are left out: what is told of the others names none of them."""

import json
import re
from collections.abc import Collection
from itertools import combinations
from typing import Any

import pytest
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, Tool

from llama_mcp.errors import Step
from llama_mcp.llama_server.status import ServerState, ServerStatus
from llama_mcp.models.download.download import Download
from llama_mcp.reading_settings import read_settings
from llama_mcp.sessions.records import Session, SessionList, TranscriptPage
from llama_mcp.settings import Settings
from llama_mcp.surface.failures import TOOL_WORDS, with_next_step, words_for
from llama_mcp.surface.mcp_server import LlamaMCPServer, instructions_of
from llama_mcp.surface.results.downloads import told_download
from llama_mcp.surface.results.session_results import copied, told_list, told_page
from llama_mcp.surface.scopes import words_of
from llama_mcp.surface.server import build_server
from llama_mcp.toolsets import TOOLS, TOOLSETS, tools_of

MAX_BYTES_OF_THE_FIRST = 8 * 1024
NAMES = tuple(TOOLSETS)
CHOICES = [some for count in range(1, len(NAMES) + 1) for some in combinations(NAMES, count)]
SESSION = Session(
    session_id="s1",
    title="t",
    turns=0,
    created_at_utc="x",
    updated_at_utc="x",
    forked_from="s0",
)
# A chat and a status are words of English, too.
ENGLISH = re.compile(r"\b(?:a|its|the|next|this) (?:chat|status)\b")


def server_with(*toolsets: str) -> LlamaMCPServer:
    return build_server(Settings(toolsets=toolsets))


def named_in(texts: Any) -> frozenset[str]:
    """Return the tools that a text, or JSON data, names."""
    text = texts if isinstance(texts, str) else json.dumps(texts)
    return TOOLS.intersection(re.findall(r"\w+", ENGLISH.sub("", text)))


def texts_of(tool: Tool) -> list[str]:
    schemas = tool.input_schema["properties"].values()
    return [tool.description or "", *(schema["description"] for schema in schemas)]


async def test_every_tool_is_in_one_toolset() -> None:
    names = [name for tools in TOOLSETS.values() for name in tools]
    assert len(names) == len(set(names))
    assert {tool.name for tool in await build_server(Settings()).list_tools()} == set(names)


def test_a_tool_of_ours_that_is_in_no_toolset_is_a_bug() -> None:
    async def new_tool() -> None:
        """Do something."""

    new_tool.__annotations__["return"] = CallToolResult | None
    with pytest.raises(ValueError, match="new_tool is in none of the toolsets"):
        build_server(Settings()).add_tool(new_tool)


@pytest.mark.parametrize("toolsets", CHOICES, ids="-".join)
async def test_only_the_tools_of_the_named_sets_are_listed_and_their_results_are_spelled_out(
    toolsets: tuple[str, ...],
) -> None:
    every_tool = await build_server(Settings()).list_tools()
    tools = await server_with(*toolsets).list_tools()
    offered = tools_of(toolsets)
    assert [tool.name for tool in tools] == [t.name for t in every_tool if t.name in offered]
    schemas = [tool.output_schema or {} for tool in tools]
    spelled_out = [schema["title"] for schema in schemas if "properties" in schema]
    assert len(spelled_out) == len(set(spelled_out))
    assert {schema["title"] for schema in schemas} == set(spelled_out)


@pytest.mark.parametrize("toolsets", CHOICES, ids="-".join)
async def test_nothing_that_is_said_of_what_is_offered_names_a_tool_that_is_not(
    toolsets: tuple[str, ...],
) -> None:
    server, offered = server_with(*toolsets), tools_of(toolsets)
    for tool in await server.list_tools():
        assert named_in(texts_of(tool)) <= offered, tool.name
    assert named_in(instructions_of(toolsets)) <= offered
    assert named_in(list(words_for(offered).values())) <= offered
    notes = [
        copied(SESSION, offered),
        told_list(SessionList(total=0), "", "", offered).note,
        told_page(TranscriptPage(session=SESSION, offset=0, total=0), 0, offered).note,
        *told_download(Download(model="user/repo", state="complete"), offered).notes,
    ]
    assert all(notes) and named_in(notes) <= offered


async def test_what_a_tool_says_of_itself_does_not_depend_on_the_others() -> None:
    # early/ cuts the list by this.
    every_tool = {tool.name: tool for tool in await build_server(Settings()).list_tools()}
    for toolsets in CHOICES:
        for tool in await server_with(*toolsets).list_tools():
            assert tool == every_tool[tool.name]


async def test_resources_name_no_tool_as_each_can_be_left_out() -> None:
    server = build_server(Settings())
    told = [each.description or "" for each in await server.list_resources()]
    told += [each.description or "" for each in await server.list_resource_templates()]
    assert all(told)
    assert not named_in(told)


async def test_a_tool_that_is_left_out_is_answered_as_one_that_there_is_not() -> None:
    server = server_with("server", "chat")
    answers = []
    for name in ("read_session", "nonsense"):
        with pytest.raises(ToolError) as refused:
            await server.call_tool(name, {})
        answers.append(str(refused.value).replace(name, ""))
    assert answers[0] == answers[1]
    assert not named_in(answers[0]) & set(TOOLSETS["sessions"])


def test_a_step_whose_tool_is_left_out_is_one_for_the_operator() -> None:
    words = words_for(tools_of(("chat",)))
    assert words[Step.START] == "let the operator start llama-server"
    assert words[Step.REPLACE] == "let the operator ask for a replacement"
    assert words[Step.WAIT] == "call wait_for_reply"
    assert words_for(tools_of(("sessions",)))[Step.WAIT] == "wait for the reply"
    assert words_for(TOOLS) == TOOL_WORDS


def test_where_several_models_may_run_a_step_names_the_one_to_stop() -> None:
    words = words_of(Settings(max_models=3))
    for step in (Step.STOP, Step.FORCE_STOP):
        assert words[step].startswith("call stop_llama_server with ")
        assert "its name as model" in words[step]
    assert words_of(Settings()) == TOOL_WORDS
    # Of one whose record cannot be read nobody knows the name.
    silent = ServerStatus(state=ServerState.UNRESPONSIVE, message="It is silent.")
    assert with_next_step(silent, words).message.endswith("with force=true to end it.")
    assert "as model" in with_next_step(silent.model_copy(update={"model": "a"}), words).message


async def test_starting_and_chatting_alone_cost_no_more_than_8_kib() -> None:
    tools = await server_with("server", "chat").list_tools()
    sizes = {
        tool.name: len(tool.model_dump_json(by_alias=True, exclude_none=True, exclude={"meta"}))
        for tool in tools
    }
    assert sum(sizes.values()) <= MAX_BYTES_OF_THE_FIRST, sizes


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("chat", ["chat"]),
        (" Chat ,SERVER, ", ["server", "chat"]),
        ("'server','chat'", ["server", "chat"]),
        ('"chat"', ["chat"]),
        ("chat,chat", ["chat"]),
        ("all", NAMES),
        ("chat,ALL", NAMES),
        ("", NAMES),
        ("null", NAMES),
        ("${user_config.toolsets}", NAMES),
        ("server,chta", None),
        ("server chat", None),
        ("server;chat", None),
        ('["server", "chat"]', None),
        ("server,${chat}", None),
        (",", None),
        ("none", None),
    ],
)
def test_the_setting_is_read_as_every_list_of_words(
    text: str, meant: Collection[str] | None
) -> None:
    settings = read_settings({"LLAMA_MCP_TOOLSETS": text})
    assert settings.toolsets == tuple(NAMES if meant is None else meant)
    assert [fault.name for fault in settings.faults] == (["toolsets"] if meant is None else [])
