"""Commands that need no llama-server import nothing that only a running one, or a client, needs."""

import pytest

from tests.cli.running import modules_imported
from tests.support.client_process import LlamaMCP

# Each takes milliseconds to import that a person waits for.
HEAVY = frozenset(
    {
        *("mcp", "mcp_types", "starlette", "uvicorn"),
        *("httpx2", "jsonschema", "prometheus_client", "opentelemetry"),
    }
)
# What only a chat, a start or a client needs.
ROOMS = ("llama_mcp.turns", "llama_mcp.ranking", "llama_mcp.files", "llama_mcp.surface")
OF_STARTS = (
    "llama_mcp.llama_server.starts",
    "llama_mcp.llama_server.choosing.turn_servers",
)
LIGHT = [["status"], ["sessions", "list"], ["models", "list"], ["logs"], ["stop"]]


@pytest.mark.parametrize("command", LIGHT, ids=" ".join)
def test_a_command_without_a_server_imports_no_room_of_turns(
    llama_mcp: LlamaMCP, command: list[str]
) -> None:
    modules = modules_imported(llama_mcp, command)
    assert HEAVY & modules.keys() == set()
    assert [each for each in modules["llama_mcp"] if each.startswith((*ROOMS, *OF_STARTS))] == []


@pytest.mark.parametrize("command", [["status"], ["logs"], ["stop"]], ids=" ".join)
def test_looking_at_llama_servers_waits_for_nothing_that_knows_models(
    llama_mcp: LlamaMCP, command: list[str]
) -> None:
    own = modules_imported(llama_mcp, command)["llama_mcp"]
    assert "llama_mcp.models.library" not in own
    assert "llama_mcp.llama_server.starting.preparation" not in own


def test_sessions_wait_for_nothing_of_llama_servers(llama_mcp: LlamaMCP) -> None:
    own = modules_imported(llama_mcp, ["sessions"])
    assert "httpx2" not in own and "psutil" not in own
    assert "llama_mcp.llama_server.supervisor" not in own["llama_mcp"]
