"""Commands that need no llama-server import nothing that only a running one, or a client, needs."""

import pytest

from tests.cli.running import modules_imported
from tests.support.client_process import LlamaMCP

# Each takes tens of milliseconds.
HEAVY = (
    "mcp",
    "mcp_types",
    "starlette",
    "uvicorn",
    "jsonschema",
    "prometheus_client",
    "opentelemetry",
)
# What only a chat or a start needs.
ROOMS_OF_TURNS = ("llama_mcp.turns", "llama_mcp.ranking", "llama_mcp.files", "llama_mcp.surface")
ROOMS_OF_STARTS = (
    "llama_mcp.llama_server.choosing.turn_servers",
    "llama_mcp.llama_server.starts",
)
LIGHT = [["status"], ["sessions", "list"], ["models", "list"], ["logs"], ["stop"]]


@pytest.mark.parametrize("command", LIGHT, ids=" ".join)
def test_a_command_without_a_server_imports_no_room_of_turns(
    llama_mcp: LlamaMCP, command: list[str]
) -> None:
    modules = modules_imported(llama_mcp, command)
    assert [name for name in HEAVY if name in modules] == []
    own = modules["llama_mcp"]
    assert [name for name in own if name.startswith((*ROOMS_OF_TURNS, *ROOMS_OF_STARTS))] == []


def test_sessions_wait_for_nothing_of_llama_servers(llama_mcp: LlamaMCP) -> None:
    own = modules_imported(llama_mcp, ["sessions"])
    assert "httpx2" not in own and "psutil" not in own
    assert "llama_mcp.llama_server.supervisor" not in own["llama_mcp"]
