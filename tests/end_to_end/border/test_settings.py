"""No setting and no variable ends the process; who needs a wrong one says so."""

from typing import Any

import pytest

from tests.support.bad_settings import BAD_VALUES, SETTINGS
from tests.support.client_process import LlamaMCP
from tests.support.raw_client import RawClient, raw_client

TOOLS = 14


def text_of(result: dict[str, Any]) -> str:
    return str(result["content"][0]["text"])


async def serves(client: RawClient) -> None:
    """Check what needs no setting but the home."""
    await client.hello()
    tools = await client.answer(await client.ask("tools/list"))
    assert len(tools["result"]["tools"]) >= TOOLS
    for tool in ("list_sessions", "status", "server_log", "server_metrics"):
        result = await client.call(tool)
        assert not result.get("isError"), text_of(result)


async def tells(client: RawClient, names: set[str]) -> None:
    """Check that get_config and a start tell every wrong setting."""
    for tool in ("get_config", "start_llama_server"):
        told = text_of(await client.call(tool))
        missing = [name for name in names if f"LLAMA_MCP_{name.upper()}" not in told]
        assert not missing, f"{tool}: {told}"
        assert "Error executing" not in told


@pytest.mark.parametrize("kind", BAD_VALUES)
async def test_with_every_setting_wrong_at_once_it_serves_and_tells_all(
    llama_mcp: LlamaMCP, kind: str
) -> None:
    value = BAD_VALUES[kind]
    wrong = {name.upper(): value for name in SETTINGS if name not in ("home", "model_path")}
    async with raw_client(llama_mcp.having(**wrong)) as client:
        await serves(client)
        is_unset = kind in ("empty", "a placeholder")
        await tells(client, set() if is_unset else {"port", "api_key", "auto_restart"})
        # With no setting wrong it has started, and would stay as long as a user's.
        await client.call("stop_llama_server")


async def test_a_wrong_setting_is_refused_by_the_start_and_not_by_one_that_passes_it(
    llama_mcp: LlamaMCP,
) -> None:
    async with raw_client(llama_mcp.having(PORT="many", PROT="3")) as client:
        await serves(client)
        config = await client.call("get_config")
        assert "LLAMA_MCP_PORT cannot be 'many'" in text_of(config)
        assert "LLAMA_MCP_PROT is not a setting" in config["structuredContent"]["notes"][1]
        refused = await client.call("start_llama_server")
        assert refused["isError"] and "a whole number from 0 to 65535" in text_of(refused)
        started = await client.call("start_llama_server", port=0)
        assert started["structuredContent"]["state"] == "ready"
        await client.call("stop_llama_server")


@pytest.mark.parametrize(
    "variables",
    [
        {"LLAMA_MCP_LOG_LEVEL": "warn"},
        {"OTEL_PROPAGATORS": "b3", "OTEL_PYTHON_TRACER_PROVIDER": "none_such"},
        {"OTEL_PYTHON_CONTEXT": "none_such"},
        {"PYTHONWARNINGS": "error"},
        {"LC_ALL": "no_SUCH.ISO-8859-1", "COLUMNS": "many", "TERM": ""},
        {"HTTP_PROXY": "http://127.0.0.1:1", "ALL_PROXY": "socks5://127.0.0.1:1"},
    ],
    ids=lambda variables: next(iter(variables)),
)
async def test_no_variable_of_others_ends_it(
    llama_mcp: LlamaMCP, variables: dict[str, str]
) -> None:
    settings = LlamaMCP(llama_mcp.home, llama_mcp.variables | variables)
    async with raw_client(settings) as client:
        await serves(client)
        assert (await client.call("start_llama_server"))["structuredContent"]["state"] == "ready"
        reply = await client.call("chat", message="Hello", max_tokens=4)
        assert reply["structuredContent"]["status"] == "complete", text_of(reply)
        await client.call("stop_llama_server")
