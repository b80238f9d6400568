"""The examples of a client's entry: in the standard form, on Windows, and in others' own forms."""

import json
import os
import re
import sys
import tomllib
from pathlib import Path, PureWindowsPath
from typing import Any

import pytest
import yaml
from mcp import Client, StdioServerParameters

from llama_mcp.models.entries.fields import FIELDS
from llama_mcp.models.entries.parsing import parsed
from llama_mcp.models.named_models import NamedModels
from llama_mcp.reading_settings import read_settings
from llama_mcp.setting_texts import plain_path, split_folders
from llama_mcp.settings import Settings

CONFIG = Path(__file__).parent.parent / "examples" / "claude_config.json"
ENTRY = json.loads(CONFIG.read_text(encoding="utf-8"))["mcpServers"]["llama-mcp"]
WINDOWS = CONFIG.with_name("claude_config_windows.json")
WINDOWS_ENTRY = json.loads(WINDOWS.read_text(encoding="utf-8"))["mcpServers"]["llama-mcp"]

# The examples for clients with a form of their own: where the entry stands, and what holds the
# settings.
OWN_FORMS = {
    "cline_mcp_settings.json": (("mcpServers", "llama-mcp"), "env"),
    "codex_config.toml": (("mcp_servers", "llama-mcp"), "env"),
    "continue_config.yaml": (("mcpServers", 0), "env"),
    "copilot_mcp_config.json": (("mcpServers", "llama-mcp"), "env"),
    "gemini_settings.json": (("mcpServers", "llama-mcp"), "env"),
    "goose_config.yaml": (("extensions", "llama-mcp"), "envs"),
    "opencode.json": (("mcp", "llama-mcp"), "environment"),
    "qwen_settings.json": (("mcpServers", "llama-mcp"), "env"),
    "vscode_mcp.json": (("servers", "llama-mcp"), "env"),
    "zed_settings.json": (("context_servers", "llama-mcp"), "env"),
}
READERS = {".json": json.loads, ".toml": tomllib.loads, ".yaml": yaml.safe_load}


def entry_of(name: str) -> dict[str, Any]:
    """Return the entry in an example with a form of its own, or what stands in its place."""
    file = CONFIG.with_name(name)
    found = READERS[file.suffix](file.read_text(encoding="utf-8"))
    for key in OWN_FORMS[name][0]:
        found = found[key]
    assert isinstance(found, dict)
    return found


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


def test_the_example_changes_no_default() -> None:
    assert read_settings(ENTRY["env"]) == Settings()


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


def test_every_example_is_known_here() -> None:
    standard = {CONFIG.name, WINDOWS.name, "models.toml"}
    assert {file.name for file in CONFIG.parent.iterdir()} == standard | set(OWN_FORMS)


@pytest.mark.parametrize("name", OWN_FORMS)
def test_an_example_in_a_clients_own_form_starts_llama_mcp_and_changes_no_default(
    name: str,
) -> None:
    entry = entry_of(name)
    command = entry.get("command") or entry["cmd"]
    assert command in (ENTRY["command"], [ENTRY["command"]]) and not entry.get("args")
    assert entry.get("name", "llama-mcp") == "llama-mcp"
    variables = entry[OWN_FORMS[name][1]]
    assert variables and set(variables) <= set(ENTRY["env"])
    assert read_settings(variables) == Settings()


def test_the_example_of_a_file_of_models_is_one() -> None:
    entries = NamedModels(CONFIG.with_name("models.toml")).all()
    assert [entry.name for entry in entries] == ["coder", "coder-long", "finder"]
    of_docs = (CONFIG.parent.parent / "docs" / "settings.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```toml\n(.*?)```", of_docs, re.DOTALL)
    assert [entry.name for entry in parsed(shown.encode(), CONFIG)] == ["coder", "finder"]
    named = {
        word for row in re.findall(r"^\| (`.*?) \|", of_docs, re.M) for word in row.split(", ")
    }
    assert {f"`{field}`" for field in FIELDS} <= named
