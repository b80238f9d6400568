"""An operator who offers some of the tools gets a server that is whole with these."""

from typing import Any

import pytest

from tests.support.client_process import LlamaMCP
from tests.support.raw_client import raw_client


def text_of(result: dict[str, Any]) -> str:
    return str(result["content"][0]["text"])


async def test_with_server_and_chat_alone_a_conversation_goes_its_whole_way(
    llama_mcp: LlamaMCP,
) -> None:
    async with raw_client(llama_mcp.having(TOOLSETS="server,chat")) as client:
        await client.hello()
        reply = await client.call("chat", message="Hello", max_tokens=4)
        session = reply["structuredContent"]["session_id"]
        again = await client.call("wait_for_reply", session_id=session)
        assert again["structuredContent"]["notes"] == ["All of the reply was told before."]
        unknown = await client.call("read_session", session_id=session)
        assert unknown["isError"] and text_of(unknown).startswith("Unknown tool: read_session.")
        assert (await client.call("get_config"))["structuredContent"].get("notes", []) == []
        stopped = await client.call("stop_llama_server")
        assert stopped["structuredContent"]["state"] == "stopped"


async def test_with_chat_alone_what_needs_another_tool_is_left_to_the_operator(
    llama_mcp: LlamaMCP,
) -> None:
    alone = llama_mcp.having(TOOLSETS="chat", AUTO_START="false")
    async with raw_client(alone) as client:
        await client.hello()
        refused = text_of(await client.call("chat", message="Hello"))
        assert refused.endswith("Let the operator start llama-server first.")
        status = await client.answer(
            await client.ask("resources/read", uri="llama://server/status")
        )
        assert "Let the operator start llama-server" in str(status["result"]["contents"])


@pytest.mark.parametrize("wrong", ["server,chta", "models-to-come"])
async def test_with_a_wrong_toolset_every_tool_is_offered_and_the_settings_say_so(
    llama_mcp: LlamaMCP, wrong: str
) -> None:
    async with raw_client(llama_mcp.having(TOOLSETS=wrong)) as client:
        await client.hello()
        sessions = await client.call("list_sessions")
        assert not sessions.get("isError")
        notes = (await client.call("get_config"))["structuredContent"]["notes"]
        assert f"LLAMA_MCP_TOOLSETS cannot be '{wrong}': it takes all" in notes[0]
