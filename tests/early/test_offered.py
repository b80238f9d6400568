"""With sets of tools left out, the first answers are those that the real server would give."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydantic import BaseModel

from llama_mcp.early.catalogue import APPS, LEGACY, MODERN, Catalogue, read_catalogue
from llama_mcp.early.offered import TOOLSETS as VARIABLE
from llama_mcp.early.offered import offered_of
from llama_mcp.settings import Settings
from llama_mcp.surface.mcp_server import instructions_of
from llama_mcp.surface.server import build_server
from llama_mcp.toolsets import PAGE_TOOLS, TOOLSETS
from tests.early.exchange import GREETING, INITIALIZED, answers, modern, request, started
from tests.early.test_answering import LINES, NEEDED, run
from tests.support.client_process import LlamaMCP
from tests.support.quick import first_quick

STATUS = {"name": "status", "arguments": {}}
CHOICES = [some for count in range(1, len(TOOLSETS)) for some in combinations(TOOLSETS, count)]
# Names of the variable, with what it says; what is odd is read as the one border reads it.
SET = [
    {VARIABLE: "chat,server"},
    {VARIABLE: "server"},
    {VARIABLE: "server,chta"},
    {VARIABLE: " 'Sessions' , \ufeffOBSERVING,"},
    {VARIABLE: "${server}"},
    {VARIABLE: ""},
    {"llama_mcp_toolsets": "chat"},
    {VARIABLE: "chat", "Llama_Mcp_Toolsets": "observing"},
]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    read = read_catalogue()
    assert read is not None
    return read


def dumped(listed: Sequence[BaseModel]) -> list[Any]:
    return [each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in listed]


@pytest.mark.parametrize("toolsets", CHOICES, ids="-".join)
async def test_what_is_left_out_is_cut_from_both_eras_lists_and_instructions(
    catalogue: Catalogue, toolsets: tuple[str, ...]
) -> None:
    early = offered_of(catalogue, {VARIABLE: ",".join(toolsets)})
    server = build_server(Settings(toolsets=toolsets))
    tools, prompts = dumped(await server.list_tools()), dumped(await server.list_prompts())
    of_page = [tool for tool in tools if tool["name"] in PAGE_TOOLS]
    for era in (LEGACY, MODERN):
        assert json.loads(early[APPS[era], "tools/list"])["tools"] == of_page
    tools = [tool for tool in tools if tool not in of_page]
    for era, greeting in ((LEGACY, "initialize"), (MODERN, "server/discover")):
        assert json.loads(early[era, "tools/list"])["tools"] == tools
        assert json.loads(early[era, "prompts/list"])["prompts"] == prompts
        greeted = json.loads(early[era, greeting])
        assert greeted["instructions"] == instructions_of(toolsets)
        assert ("prompts" in greeted["capabilities"]) == bool(prompts)
        has_page = era == MODERN and bool(of_page)
        assert ("extensions" in greeted["capabilities"]) == has_page
    cut = {"tools/list", "prompts/list", "initialize", "server/discover"}
    assert {key for key in catalogue if catalogue[key] != early[key]} <= {
        key for key in catalogue if key[1] in cut
    }


@pytest.mark.parametrize(
    "text", ["all", "", "null", "chta", "server,chta", "${server}", "[" * 9000]
)
def test_what_leaves_nothing_out_changes_nothing(catalogue: Catalogue, text: str) -> None:
    assert offered_of(catalogue, {VARIABLE: text}) == catalogue
    assert offered_of(catalogue, {}) == catalogue


@pytest.mark.posix
@pytest.mark.parametrize("variables", first_quick(*SET))
def test_the_first_answers_are_those_of_the_real_server_to_the_byte(
    llama_mcp: LlamaMCP, tmp_path: Path, variables: dict[str, str]
) -> None:
    some = replace(llama_mcp, variables=llama_mcp.variables | variables)
    lists = ("tools/list", "prompts/list", "resources/list", "resources/templates/list")
    old: list[Any] = [GREETING, INITIALIZED, *(request(name) for name in lists)]
    new: list[Any] = [modern(name) for name in ("server/discover", *lists)]
    for asked, call in (
        (old, request("tools/call", STATUS, 9)),
        (new, modern("tools/call", STATUS, 9)),
    ):
        said = answers(some, [*asked, call])
        assert said == answers(some, [*asked, call], tmp_path / "said")


@pytest.mark.posix
def test_leaving_sets_out_costs_the_first_answers_nothing(llama_mcp: LlamaMCP) -> None:
    some = llama_mcp.having(TOOLSETS="server,chat")
    done = run(some, LINES)
    assert b"delete_session" not in done.stdout and done.stdout.count(b"\n") == 6
    imported = set(done.stderr.decode().split())
    ours = {name for name in imported if name.startswith("llama_mcp")}
    assert {"llama_mcp.toolsets", "llama_mcp.copied_text"} < ours
    assert imported - ours <= NEEDED
    if sys.platform != "linux":  # others count otherwise
        return
    with started(some) as process:
        process.tell(GREETING)
        process.tell(request("tools/list", {}, 2))
        process.lines(2)
        assert process.is_early()
        assert psutil.Process(process.process.pid).memory_info().rss < 12 * 2**20
    assert os.path.exists(some.home) is False
