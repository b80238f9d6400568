"""examples/claude_config.json starts llama-mcp when the command is on the client's PATH."""

import json
import os
import sys
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from llama_mcp.settings import Settings

CONFIG = Path(__file__).parent.parent / "examples" / "claude_config.json"
ENTRY = json.loads(CONFIG.read_text(encoding="utf-8"))["mcpServers"]["llama-mcp"]


async def test_a_client_that_takes_the_example_gets_the_tools(tmp_path: Path, era: str) -> None:
    programs = str(Path(sys.executable).parent)
    own = {
        "HOME": str(tmp_path),
        "LLAMA_MCP_HOME": str(tmp_path / "llama-mcp-home"),
        "PATH": os.pathsep.join([programs, os.environ["PATH"]]),
    }
    parameters = StdioServerParameters(
        command=ENTRY["command"], args=ENTRY.get("args", []), env=ENTRY["env"] | own, cwd=tmp_path
    )
    async with Client(parameters, mode=era) as client:
        tools = (await client.list_tools()).tools
    assert {"start_llama_server", "chat"} <= {tool.name for tool in tools}


def test_the_example_changes_no_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENTRY["env"].items():
        monkeypatch.setenv(name, value)
    assert Settings() == Settings.model_construct()


def test_the_example_names_only_settings_that_exist() -> None:
    names = {f"LLAMA_MCP_{name.upper()}" for name in Settings.model_fields}
    assert set(ENTRY["env"]) <= names
