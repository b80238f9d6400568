"""The official client, in both eras, notices nothing of early answers but that they are early."""

import pytest

from llama_mcp.sessions.archive import Archive
from llama_mcp.surface.resources.uris import SESSIONS, session_uris
from tests.sessions.talk import have_session
from tests.support.client_process import LlamaMCP


async def test_a_client_lists_everything_and_then_calls(llama_mcp: LlamaMCP, era: str) -> None:
    llama_mcp.home.mkdir()
    archive = Archive(llama_mcp.home / "sessions.db")
    session_id = await have_session(archive, 1)
    await archive.close()
    async with llama_mcp.connect(era) as connection:
        tools = (await connection.client.list_tools()).tools
        templates = (await connection.client.list_resource_templates()).resource_templates
        resources = (await connection.client.list_resources()).resources
        assert {"start_llama_server", "chat"} <= {tool.name for tool in tools}
        assert SESSIONS in {template.uri_template.partition("/{")[0] for template in templates}
        assert session_uris(session_id)[0] in {str(resource.uri) for resource in resources}
        assert (await connection.call("status"))["state"] == "stopped"
        listed = await connection.call("list_sessions")
        assert [session["session_id"] for session in listed["sessions"]] == [session_id]
        # The real server, now that it is there, lists the same.
        assert (await connection.client.list_tools()).tools == tools
        assert (await connection.client.list_resources()).resources == resources


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_that_only_connects_leaves_no_home(llama_mcp: LlamaMCP, mode: str) -> None:
    async with llama_mcp.connect(mode) as connection:
        await connection.client.list_tools()
    assert not llama_mcp.home.exists()
