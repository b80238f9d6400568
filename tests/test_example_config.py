"""The examples of a client's entry: one starts llama-mcp from the client's PATH, one on Windows."""

import json
import os
import sys
from pathlib import Path, PureWindowsPath

import pytest
from mcp import Client, StdioServerParameters

from llama_mcp.setting_texts import plain_path, split_folders
from llama_mcp.settings import Settings

CONFIG = Path(__file__).parent.parent / "examples" / "claude_config.json"
ENTRY = json.loads(CONFIG.read_text(encoding="utf-8"))["mcpServers"]["llama-mcp"]
WINDOWS = CONFIG.with_name("claude_config_windows.json")
WINDOWS_ENTRY = json.loads(WINDOWS.read_text(encoding="utf-8"))["mcpServers"]["llama-mcp"]


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


def test_the_examples_name_only_settings_that_exist_and_the_same() -> None:
    names = {f"LLAMA_MCP_{name.upper()}" for name in Settings.model_fields}
    assert set(ENTRY["env"]) <= names
    assert list(WINDOWS_ENTRY["env"]) == list(ENTRY["env"])


def test_the_example_for_windows_is_read_as_it_is_meant() -> None:
    variables = WINDOWS_ENTRY["env"]
    assert split_folders(variables["LLAMA_MCP_MODEL_DIRS"], windows=True) == (
        r"C:\Models",
        r"D:\More models",
    )
    for name, value in variables.items():
        if name.endswith("_PATH"):
            assert PureWindowsPath(plain_path(value, windows=True)).is_absolute(), name
    command = PureWindowsPath(WINDOWS_ENTRY["command"])
    assert command.is_absolute() and command.parts[-3:] == (".venv", "Scripts", "llama-mcp.exe")
