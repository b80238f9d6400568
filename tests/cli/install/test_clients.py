"""What is known of each client: its files on each platform, its entry, its link."""

import base64
import json
import tomllib
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import yaml

from llama_mcp.cli.install.clients.all_clients import BY_NAME, CLIENTS
from llama_mcp.cli.install.forms.editing import entries_at
from llama_mcp.cli.install.known.client import Client
from llama_mcp.cli.install.known.entry import NAME, Entry
from llama_mcp.cli.install.known.places import Places
from tests.test_docs import DOCS, tables, text_of

REPOSITORY = Path(__file__).parents[3]
ENTRY = Entry("/opt/llama-mcp", (), {"LLAMA_MCP_MODEL_PATH": ""})
# The example of each client with a form of its own.
EXAMPLES = {
    "cline": "cline_mcp_settings.json",
    "codex": "codex_config.toml",
    "continue": "continue_config.yaml",
    "copilot": "copilot_mcp_config.json",
    "gemini": "gemini_settings.json",
    "goose": "goose_config.yaml",
    "opencode": "opencode.json",
    "qwen": "qwen_settings.json",
    "vscode": "vscode_mcp.json",
    "zed": "zed_settings.json",
}
READERS = {".json": json.loads, ".toml": tomllib.loads, ".yaml": yaml.safe_load}


def places(platform: str, **environment: str) -> Places:
    return Places(platform, Path("/home/me"), environment, Path("/project"))


def user_file(name: str, platform: str, **environment: str) -> str:
    file = BY_NAME[name].files(places(platform, **environment), is_project=False)[0]
    return PurePosixPath(file).as_posix().removeprefix("/home/me/")


@pytest.mark.parametrize(
    ("name", "linux", "macos", "windows"),
    [
        (
            "claude-desktop",
            ".config/Claude/claude_desktop_config.json",
            "Library/Application Support/Claude/claude_desktop_config.json",
            "AppData/Roaming/Claude/claude_desktop_config.json",
        ),
        (
            "vscode",
            ".config/Code/User/mcp.json",
            "Library/Application Support/Code/User/mcp.json",
            "AppData/Roaming/Code/User/mcp.json",
        ),
        (
            "zed",
            ".config/zed/settings.json",
            ".config/zed/settings.json",
            "AppData/Roaming/Zed/settings.json",
        ),
        (
            "goose",
            ".config/goose/config.yaml",
            ".config/goose/config.yaml",
            "AppData/Roaming/Block/goose/config/config.yaml",
        ),
        ("codex", *[".codex/config.toml"] * 3),
        ("opencode", *[".config/opencode/opencode.json"] * 3),
    ],
)
def test_each_platform_has_its_own_folder(name: str, linux: str, macos: str, windows: str) -> None:
    assert user_file(name, "linux") == linux
    assert user_file(name, "darwin") == macos
    assert user_file(name, "win32") == windows


@pytest.mark.parametrize(
    ("name", "variable", "file"),
    [
        ("codex", "CODEX_HOME", "config.toml"),
        ("copilot", "COPILOT_HOME", "mcp-config.json"),
        ("claude-code", "CLAUDE_CONFIG_DIR", ".claude.json"),
        ("gemini", "GEMINI_CLI_HOME", ".gemini/settings.json"),
        ("qwen", "QWEN_HOME", "settings.json"),
        ("opencode", "XDG_CONFIG_HOME", "opencode/opencode.json"),
        ("vscode", "XDG_CONFIG_HOME", "Code/User/mcp.json"),
    ],
)
@pytest.mark.posix
def test_a_variable_moves_a_clients_files_if_it_names_a_whole_path(
    name: str, variable: str, file: str
) -> None:
    assert user_file(name, "linux", **{variable: "/elsewhere"}) == f"/elsewhere/{file}"
    assert user_file(name, "linux", **{variable: "here"}) == user_file(name, "linux")


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_entry_has_the_form_of_the_clients_example(name: str) -> None:
    client = BY_NAME[name]
    file = REPOSITORY / "examples" / EXAMPLES[name]
    meaning = READERS[file.suffix](file.read_text(encoding="utf-8"))
    shown = entries_at(meaning, client.keys)[NAME]
    written = client.written(Entry("llama-mcp", (), {"LLAMA_MCP_MODEL_PATH": ""}))
    # Two of the examples leave out what is the default.
    assert {key: value for key, value in written.items() if key != "args"} == {
        key: value for key, value in shown.items() if key != "args"
    }


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_what_an_entry_starts_can_be_read_back(client: Client) -> None:
    entry = Entry("/opt/llama-mcp", ("-m", "x"), {"A": "b"})
    assert client.entry_form.read(client.written(entry)) == entry
    assert client.entry_form.read({"url": "https://example.org"}) is None


def test_links_carry_the_entry() -> None:
    links = {client.name: client.link for client in CLIENTS if client.link}
    assert set(links) == {"cursor", "vscode", "lm-studio"}
    for name, link in links.items():
        entry = BY_NAME[name].written(ENTRY)
        address = urlsplit(link(entry))
        if name == "vscode":
            assert address.scheme == "vscode" and address.path == "mcp/install"
            assert json.loads(unquote(address.query)) == {"name": NAME, **entry}
        else:
            query = parse_qs(address.query)
            assert query["name"] == [NAME]
            assert json.loads(base64.b64decode(query["config"][0])) == entry


def test_every_client_says_what_is_left_to_do_and_shows_that_it_is_here() -> None:
    for client in CLIENTS:
        assert client.to_do.endswith(".") and client.folders(places("linux"))


def test_the_page_of_clients_lists_every_client_with_its_files() -> None:
    page = DOCS / "clients.md"
    rows = next(tables(text_of(page, "The clients that `install` knows")))
    here = places("linux")
    assert [row[:4] for row in rows] == [
        [
            client.title,
            f"`{client.name}`",
            f"`~/{PurePosixPath(client.user_files(here)[0]).relative_to('/home/me')}`",
            f"`{client.project_files[0]}`" if client.project_files else "",
        ]
        for client in CLIENTS
    ]
    linked = {client.title for client in CLIENTS if client.link}
    assert {row[0] for row in rows if row[4].endswith("A link.")} == linked
