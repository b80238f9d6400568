"""The README's tables say what the code has, no less and no more."""

import json
import re
from pathlib import Path

from llama_mcp.settings import Settings
from llama_mcp.surface.server import build_server

REPOSITORY = Path(__file__).parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def table(section: str) -> list[list[str]]:
    """Return the rows, as lists of cells, of the first table under a heading."""
    text = README.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def as_shown(default: object) -> str:
    if default in (None, ()):
        return "unset"
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) else str(default)


async def test_the_tools_table_lists_every_tool_in_order() -> None:
    tools = await build_server(Settings()).list_tools()
    assert [quoted(row[0]) for row in table("Tools")] == [[tool.name] for tool in tools]


async def test_the_tools_table_lists_every_parameter_of_every_tool() -> None:
    listed = {quoted(row[0])[0]: set(quoted(row[2])) for row in table("Tools")}
    tools = await build_server(Settings()).list_tools()
    assert listed == {tool.name: set(tool.input_schema.get("properties", {})) for tool in tools}


async def test_the_resources_table_lists_every_resource_and_template() -> None:
    server = build_server(Settings())
    resources = [str(resource.uri) for resource in await server.list_resources()]
    templates = [template.uri_template for template in await server.list_resource_templates()]
    assert sorted(quoted(row[0])[0] for row in table("Resources")) == sorted(resources + templates)


def test_the_settings_table_lists_every_setting() -> None:
    expected = [f"LLAMA_MCP_{name.upper()}" for name in Settings.model_fields]
    assert sorted(quoted(row[0])[0] for row in table("Settings")) == sorted(expected)


def test_the_settings_table_shows_the_defaults() -> None:
    expected = {
        f"LLAMA_MCP_{name.upper()}": as_shown(field.default)
        for name, field in Settings.model_fields.items()
    }
    assert {quoted(row[0])[0]: row[1] for row in table("Settings")} == expected


def test_the_readme_shows_the_example_entry_as_it_is() -> None:
    shown = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    example = (REPOSITORY / "examples" / "claude_config.json").read_text(encoding="utf-8")
    assert [json.loads(block) for block in shown] == [json.loads(example)]
