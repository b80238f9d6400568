"""The prompts as the server lists and refuses them."""

from itertools import combinations

import pytest
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS

from llama_mcp.settings import Settings
from llama_mcp.surface.mcp_server import LlamaMCPServer
from llama_mcp.surface.server import build_server
from llama_mcp.toolsets import TOOL_OF_PROMPT, TOOLS, TOOLSETS, prompts_of, tools_of

CHOICES = [some for count in range(1, len(TOOLSETS) + 1) for some in combinations(TOOLSETS, count)]


@pytest.fixture
def server() -> LlamaMCPServer:
    return build_server(Settings())


async def refusal(server: LlamaMCPServer, name: str, **arguments: str) -> str:
    with pytest.raises(MCPError) as refused:
        await server.get_prompt(name, arguments)
    assert refused.value.error.code == INVALID_PARAMS
    return refused.value.error.message


async def test_every_prompt_and_argument_is_told_in_words(server: LlamaMCPServer) -> None:
    prompts = await server.list_prompts()
    assert [prompt.name for prompt in prompts] == list(TOOL_OF_PROMPT)
    for prompt in prompts:
        assert prompt.title and prompt.description and len(prompt.description) < 100
        assert all(argument.description for argument in prompt.arguments or [])


@pytest.mark.parametrize("toolsets", CHOICES, ids="-".join)
async def test_a_prompt_is_offered_with_its_tool_and_not_without(toolsets: tuple[str, ...]) -> None:
    server = build_server(Settings(toolsets=toolsets))
    listed = {prompt.name: prompt for prompt in await server.list_prompts()}
    assert set(listed) == prompts_of(tools_of(toolsets))
    every_prompt = {prompt.name: prompt for prompt in await build_server(Settings()).list_prompts()}
    # early/ cuts the list by this.
    assert all(every_prompt[name] == prompt for name, prompt in listed.items())


def test_every_prompt_has_a_tool_that_there_is() -> None:
    assert set(TOOL_OF_PROMPT.values()) <= TOOLS


async def test_an_unknown_prompt_is_refused_with_those_that_there_are(
    server: LlamaMCPServer,
) -> None:
    there_are = f"There are: {', '.join(TOOL_OF_PROMPT)}."
    assert await refusal(server, "aks") == f"Unknown prompt: aks. {there_are}"
    assert len(await refusal(server, "x" * 10_000)) < 400
    assert "\x1b" not in await refusal(server, "\x1b[2J")


async def test_without_any_prompt_the_refusal_says_so() -> None:
    server = build_server(Settings(toolsets=("server",)))
    assert await refusal(server, "ask", question="x") == "Unknown prompt: ask. There is none."


@pytest.mark.parametrize("given", [{}, {"question": ""}, {"question": " \n"}])
async def test_a_missing_argument_is_named_with_what_it_means(
    server: LlamaMCPServer, given: dict[str, str]
) -> None:
    text = await refusal(server, "ask", **given)
    assert text == "The prompt ask needs question: What to ask the model on this machine."


async def test_an_argument_that_a_prompt_does_not_have_is_refused(server: LlamaMCPServer) -> None:
    text = await refusal(server, "ask", question="x", quesiton="y")
    assert text == "The prompt ask has no argument 'quesiton'. It takes: question."
    assert "It takes: no arguments." in await refusal(server, "why_slow", model="x")


async def test_a_list_of_files_without_a_name_is_refused(server: LlamaMCPServer) -> None:
    assert "names no file" in await refusal(server, "summarize_files", files=" , ,")


async def test_an_argument_left_empty_is_one_left_out(server: LlamaMCPServer) -> None:
    told = [
        await server.get_prompt("summarize_files", {"files": "a.txt", **focus})
        for focus in ({}, {"focus": ""}, {"focus": "  "})
    ]
    assert told[0] == told[1] == told[2]
