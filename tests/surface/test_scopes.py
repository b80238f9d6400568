"""Everything that is offered has its scope, and a text is judged as a name by itself alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.callers import LOCAL, Caller, Scope
from llama_mcp.errors import ModelIsNoNameError, ScopeNeededError, Step
from llama_mcp.settings import Settings
from llama_mcp.surface.calling import calling_as
from llama_mcp.surface.failures import TOOL_WORDS
from llama_mcp.surface.mcp_server import instructions_of
from llama_mcp.surface.resources.uris import LOG, STATUS, model_uri
from llama_mcp.surface.scopes import (
    MODEL_PARAMETERS,
    PARAMETER_SCOPES,
    RESOURCE_SCOPES,
    TOOL_SCOPES,
    check_call,
    check_is_name,
    check_uri,
    scope_of_prompt,
    scope_of_uri,
    words_of,
)
from llama_mcp.surface.server import build_server
from llama_mcp.toolsets import TOOLS, TOOLSETS

CHATS, OPERATES = Caller("ann"), Caller("olga", Scope.OPERATE)


async def test_every_tool_parameter_resource_and_prompt_has_its_scope() -> None:
    server = build_server(Settings())
    tools = {tool.name: tool.input_schema["properties"] for tool in await server.list_tools()}
    assert tools.keys() == TOOL_SCOPES.keys() == TOOLS
    for tool, parameter in (*PARAMETER_SCOPES, *MODEL_PARAMETERS.items()):
        assert parameter in tools[tool]
        assert PARAMETER_SCOPES.get((tool, parameter), Scope.ADMIN) >= TOOL_SCOPES[tool]
    named = {tool for tool, taken in tools.items() if {"model", "model_path"} & taken.keys()}
    assert named == {*MODEL_PARAMETERS, "download_model"}
    uris = {str(each.uri) for each in await server.list_resources()}
    uris |= {each.uri_template for each in await server.list_resource_templates()}
    assert uris == RESOURCE_SCOPES.keys()
    for prompt in await server.list_prompts():
        assert scope_of_prompt(prompt.name) in Scope


async def test_lists_are_the_caller_s_and_the_person_of_this_machine_has_all() -> None:
    server = build_server(Settings())
    with calling_as(CHATS):
        few = [tool.name for tool in await server.list_tools()]
    with calling_as(OPERATES):
        more = {tool.name: tool.input_schema["properties"] for tool in await server.list_tools()}
    every = {tool.name: tool.input_schema["properties"] for tool in await server.list_tools()}
    assert set(few) < set(more) < set(every)
    taken = more["start_llama_server"]
    assert every["start_llama_server"].keys() - taken == {"llama_cpp_path", "port", "extra_args"}


def test_of_a_model_s_resources_each_has_the_scope_of_its_kind() -> None:
    assert scope_of_uri(model_uri("llama://models/{name}/log", "a b")) is Scope.ADMIN
    assert scope_of_uri(model_uri("llama://models/{name}/status", "a/b")) is Scope.CHAT
    assert scope_of_uri("llama://no/such") is Scope.CHAT
    check_uri(CHATS, STATUS)
    with pytest.raises(ScopeNeededError, match=f"{LOG} needs the scope admin"):
        check_uri(OPERATES, LOG)


def test_what_is_unset_needs_no_scope() -> None:
    unset: list[object] = [None, "", False, []]
    for value in unset:
        check_call(OPERATES, "start_llama_server", {"extra_args": value})
    given_values: list[object] = [0, True, "x", ["--x"]]
    for value in given_values:
        with pytest.raises(ScopeNeededError, match="extra_args of start_llama_server"):
            check_call(OPERATES, "start_llama_server", {"extra_args": value})
    check_call(LOCAL, "start_llama_server", {"extra_args": ["--x"], "model_path": "/a/b.gguf"})


@pytest.mark.parametrize(
    "name", ["tiny", "Qwen3-8B.Q4_K_M.gguf", "publisher/repo/file", "a b", "v1.5", "größe", "x.y/z"]
)
def test_a_name_is_a_name(name: str) -> None:
    check_is_name("model", name)


@given(st.text(), st.sampled_from(["/", "~", ".", "\\", "C:", "file:", "../", "hf://", "$A"]))
def test_what_begins_like_a_path_is_none_whatever_follows(text: str, beginning: str) -> None:
    with pytest.raises(ModelIsNoNameError):
        check_is_name("model", beginning + text)


def test_next_steps_are_those_that_the_caller_can_take() -> None:
    settings = Settings()
    assert words_of(settings) == TOOL_WORDS
    assert words_of(settings, OPERATES)[Step.START] == TOOL_WORDS[Step.START]
    assert "operator" in words_of(settings, OPERATES)[Step.FORCE_STOP]
    assert "operator" in words_of(settings, CHATS)[Step.START]


def test_instructions_name_no_tool_that_the_caller_may_not_use() -> None:
    told = instructions_of(tuple(TOOLSETS), CHATS)
    barred = [tool for tool, scope in TOOL_SCOPES.items() if scope > Scope.CHAT]
    assert not [tool for tool in barred if tool in told]
    assert instructions_of(tuple(TOOLSETS)) == instructions_of(tuple(TOOLSETS), LOCAL)
