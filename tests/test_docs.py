"""The documentation says what the code has, no less and no more, and its links lead somewhere."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from xml.etree import ElementTree

import pytest

from llama_mcp.callers import Limits, Scope
from llama_mcp.cli.chat.slash_commands import COMMANDS as SLASH_COMMANDS
from llama_mcp.cli.commands import COMMANDS
from llama_mcp.cli.demo import STEPS
from llama_mcp.files.naming.secrets import DEFAULT_SECRETS
from llama_mcp.llama_server.engine.environment import KEPT
from llama_mcp.setting_values import MODEL_PLACES
from llama_mcp.settings import Settings
from llama_mcp.surface.scopes import PARAMETER_SCOPES, RESOURCE_SCOPES, TOOL_SCOPES
from llama_mcp.surface.server import build_server
from llama_mcp.toolsets import ALL, PAGE_TOOLS, TOOLSETS

REPOSITORY = Path(__file__).parent.parent
DOCS = REPOSITORY / "docs"
README = REPOSITORY / "README.md"
AT_THE_TOP = ["README", "ARCHITECTURE", "CONTRIBUTING", "AGENTS", "SECURITY", "CHANGELOG"]
PAGES = [*(REPOSITORY / f"{name}.md" for name in AT_THE_TOP), *sorted(DOCS.glob("*.md"))]
MAX_README_WORDS = 1000


def text_of(page: Path, section: str | None = None) -> str:
    """Return a page, or one of its sections."""
    text = page.read_text(encoding="utf-8")
    return text if section is None else text.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]


def tables(text: str) -> Iterator[list[list[str]]]:
    """Yield each table's rows below its head, as lists of cells."""
    for block in re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE):
        rows = [line.strip("|").split("|") for line in block.splitlines()]
        yield [[cell.strip() for cell in row] for row in rows[2:]]


def settings_rows() -> dict[str, list[str]]:
    """Return the rows about settings of the page's tables, by the variable's name."""
    rows = [row for table in tables(text_of(DOCS / "settings.md")) for row in table]
    return {quoted(row[0])[0]: row for row in rows if row[0].startswith("`LLAMA_MCP_")}


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def as_shown(default: object) -> str:
    if default in (None, ()):
        return "unset"
    if default == tuple(TOOLSETS):
        return ALL
    if default == MODEL_PLACES:
        return "all"
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) else str(default)


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.M))


def links(page: Path) -> list[str]:
    """Return the targets of a page's links and pictures that lie in this repository."""
    targets = re.findall(r"\]\(([^)\s]+)\)", without_code(text_of(page)))
    return [target for target in targets if "://" not in target]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, made as GitHub makes them."""
    without_blocks = re.sub(r"^```.*?^```", "", text_of(page), flags=re.DOTALL | re.M)
    headings = re.findall(r"^#+ (.+)$", without_blocks, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [README, DOCS / "tools.md"], ids=lambda page: page.name)
async def test_the_tools_table_lists_every_tool_in_order(page: Path) -> None:
    rows = next(tables(text_of(page, "Tools" if page == README else None)))
    tools = await build_server(Settings()).list_tools()
    # The README is for people and their assistants: what only the page calls is left out.
    told = [tool for tool in tools if page != README or tool.name not in PAGE_TOOLS]
    assert [quoted(row[0]) for row in rows] == [[tool.name] for tool in told]


async def test_the_tools_page_lists_every_parameter_of_every_tool() -> None:
    rows = next(tables(text_of(DOCS / "tools.md")))
    listed = {quoted(row[0])[0]: set(quoted(row[2])) for row in rows}
    tools = await build_server(Settings()).list_tools()
    assert listed == {tool.name: set(tool.input_schema.get("properties", {})) for tool in tools}


async def test_the_tools_page_lists_every_prompt_with_its_arguments() -> None:
    rows = next(tables(text_of(DOCS / "tools.md", "Prompts")))
    assert {quoted(row[0])[0]: quoted(row[1]) for row in rows} == {
        prompt.name: [argument.name for argument in prompt.arguments or []]
        for prompt in await build_server(Settings()).list_prompts()
    }


async def test_the_resources_page_lists_every_resource_and_template() -> None:
    server = build_server(Settings())
    resources = [str(resource.uri) for resource in await server.list_resources()]
    templates = [template.uri_template for template in await server.list_resource_templates()]
    rows = next(tables(text_of(DOCS / "resources.md")))
    assert sorted(quoted(row[0])[0] for row in rows) == sorted(resources + templates)


def test_the_callers_page_lists_the_scope_of_every_tool_and_parameter() -> None:
    of_scopes, of_tools, of_limits = tables(text_of(DOCS / "callers.md"))
    assert [quoted(row[0]) for row in of_scopes] == [[scope.name.lower()] for scope in Scope]
    scopes = {quoted(row[0])[0]: quoted(row[1]) for row in of_tools}
    assert list(scopes.items()) == [
        (tool, [scope.name.lower()]) for tool, scope in TOOL_SCOPES.items()
    ]
    more = {
        (quoted(row[0])[0], parameter): quoted(row[2])[-1]
        for row in of_tools
        for parameter in quoted(row[2])[:-1]
    }
    assert more == {place: scope.name.lower() for place, scope in PARAMETER_SCOPES.items()}
    assert [quoted(row[0]) for row in of_limits] == [[field.name] for field in fields(Limits)]


def test_the_callers_page_names_the_resources_that_need_more() -> None:
    told = text_of(DOCS / "callers.md", "Scopes").split("Of the [resources]")[1].split("need")[0]
    admins = {uri for uri, scope in RESOURCE_SCOPES.items() if scope > Scope.CHAT}
    assert set(quoted(told)) == admins


def test_the_command_line_page_lists_every_command_in_order() -> None:
    rows = next(tables(text_of(DOCS / "command-line.md")))
    assert [quoted(row[0]) for row in rows] == [[command.name] for command in COMMANDS]


def test_the_command_line_page_names_every_command_of_a_conversation() -> None:
    page = text_of(DOCS / "command-line.md", "Chat")
    assert [each.name for each in SLASH_COMMANDS if f"`/{each.name}" not in page] == []


def test_the_settings_page_lists_every_setting_with_its_default() -> None:
    assert {name: row[1] for name, row in settings_rows().items()} == {
        f"LLAMA_MCP_{name.upper()}": as_shown(field.default)
        for name, field in Settings.model_fields.items()
    }


def test_the_settings_page_lists_every_toolset_with_its_tools() -> None:
    rows = next(tables(text_of(DOCS / "settings.md", "Fewer tools")))
    assert {quoted(row[0])[0]: tuple(quoted(row[1])) for row in rows} == TOOLSETS


def test_the_settings_page_lists_the_variables_that_llama_server_gets() -> None:
    rows = next(tables(text_of(DOCS / "settings.md", "What llama-server inherits")))
    assert {row[0]: quoted(row[1]) for row in rows} == {
        whom: names.split() for whom, names in KEPT.items()
    }


def test_the_files_page_lists_the_names_of_secrets() -> None:
    (block,) = re.findall(r"```\n(.*?)```", text_of(DOCS / "files.md", "Secrets"), re.DOTALL)
    assert tuple(block.replace("\n", " ").strip().split(", ")) == DEFAULT_SECRETS


def test_the_readme_shows_the_example_entry_as_it_is() -> None:
    shown = re.findall(r"```json\n(.*?)```", text_of(README), re.DOTALL)
    example = (REPOSITORY / "examples" / "claude_config.json").read_text(encoding="utf-8")
    assert [json.loads(block) for block in shown] == [json.loads(example)]


def test_the_readme_can_be_read_in_five_minutes() -> None:
    assert len(text_of(README).split()) <= MAX_README_WORDS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page: Path) -> None:
    for target in links(page):
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), f"{page.name} links to {target}, and there is no {name}"
        if anchor:
            assert anchor in anchors(file), f"{page.name} links to {target}, a missing heading"


def test_every_page_of_the_documentation_is_linked_in_the_readme() -> None:
    linked = {(REPOSITORY / target.partition("#")[0]) for target in links(README)}
    assert set(DOCS.glob("*.md")) <= linked


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_script_and_test_that_a_page_names_exists(page: Path) -> None:
    folders = "tests|scripts|benchmarks|clients|examples|docs|src"
    for path in re.findall(rf"(?<![\w/.])(?:{folders})/[\w./-]*\w", text_of(page)):
        assert (REPOSITORY / path).exists(), f"{page.name} names {path}, which is not there"


def test_the_picture_is_text_and_shows_a_whole_run_of_the_demo() -> None:
    picture = ElementTree.parse(DOCS / "demo.svg").getroot()
    assert {element.tag.rpartition("}")[2] for element in picture.iter()} == {"svg", "rect", "text"}
    lines = [element.text or "" for element in picture.iter() if element.text]
    steps = [line for line in lines if line.startswith("[")]
    assert [step.split()[0] for step in steps] == [f"[{n}/{STEPS}]" for n in range(1, STEPS + 1)]
    assert any(line.startswith("Every step was right") for line in lines)
