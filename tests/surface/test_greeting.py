"""What llama-mcp says of itself to a client that comes."""

from llama_mcp.surface.mcp_server import instructions_of
from llama_mcp.toolsets import TOOLSETS
from tests.support.client_process import LlamaMCP
from tests.support.raw_client import INITIALIZE, raw_client

CAPABILITIES = {
    "completions": {},
    "prompts": {"listChanged": True},
    "resources": {"subscribe": True, "listChanged": True},
    "tools": {"listChanged": True},
}


async def test_both_eras_are_told_of_prompts(llama_mcp: LlamaMCP) -> None:
    async with raw_client(llama_mcp) as client:
        greeting = (await client.answer(await client.ask("initialize", **INITIALIZE)))["result"]
        assert greeting["capabilities"] == CAPABILITIES
    async with raw_client(llama_mcp) as client:
        told = (await client.discover())["result"]["capabilities"]
    # MCP Apps: the initialize era has no place for it, and hosts look at the tools.
    assert told == CAPABILITIES | {"extensions": {"io.modelcontextprotocol/ui": {}}}


async def test_no_era_is_told_of_prompts_when_none_is_offered(llama_mcp: LlamaMCP) -> None:
    without = {name: what for name, what in CAPABILITIES.items() if name != "prompts"}
    async with raw_client(llama_mcp.having(TOOLSETS="server")) as client:
        greeting = (await client.answer(await client.ask("initialize", **INITIALIZE)))["result"]
        assert greeting["capabilities"] == without
        await client.notify("notifications/initialized")
        # Asked for all the same, by a client that does not look.
        answer = await client.answer(await client.ask("prompts/list"))
        assert answer["result"]["prompts"] == []
    async with raw_client(llama_mcp.having(TOOLSETS="server")) as client:
        assert (await client.discover())["result"]["capabilities"] == without


def test_the_instructions_say_what_it_is_for_and_name_the_way_through_the_tools() -> None:
    told = instructions_of(tuple(TOOLSETS))
    assert "summaries" in told
    for tool in ("chat", "wait_for_reply", "list_sessions", "stop_llama_server"):
        assert tool in told
