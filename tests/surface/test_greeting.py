"""What llama-mcp says of itself to a client that comes."""

from llama_mcp.surface.server import instructions_of
from llama_mcp.toolsets import TOOLSETS
from tests.support.client_process import LlamaMCP
from tests.support.raw_client import INITIALIZE, raw_client

CAPABILITIES = {
    "completions": {},
    "resources": {"subscribe": True, "listChanged": True},
    "tools": {"listChanged": True},
}


async def test_no_era_is_told_of_prompts_while_there_is_none(llama_mcp: LlamaMCP) -> None:
    async with raw_client(llama_mcp) as client:
        greeting = (await client.answer(await client.ask("initialize", **INITIALIZE)))["result"]
        assert greeting["capabilities"] == CAPABILITIES
        await client.notify("notifications/initialized")
        # Asked for all the same, by a client that does not look.
        answer = await client.answer(await client.ask("prompts/list"))
        assert answer["result"]["prompts"] == []
    async with raw_client(llama_mcp) as client:
        greeting = (await client.discover())["result"]
        assert greeting["capabilities"] == CAPABILITIES


def test_the_instructions_say_what_it_is_for_and_name_the_way_through_the_tools() -> None:
    told = instructions_of(tuple(TOOLSETS))
    assert "summaries" in told
    for tool in ("chat", "wait_for_reply", "list_sessions", "stop_llama_server"):
        assert tool in told
