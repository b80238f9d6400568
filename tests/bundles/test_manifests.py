"""What the bundles say of llama-mcp: the project's own facts, and settings that there are."""

import json
import re
import tomllib
import zipfile
from pathlib import Path

import pytest
from bundles.__main__ import zipped
from bundles.completions import FILES, write_completions
from bundles.facts import OPTIONS, read_facts
from bundles.mcpb import manifest
from bundles.payload import MAIN, write_payload
from bundles.plugins import write_claude_code, write_codex, write_gemini
from bundles.registry import LONGEST_DESCRIPTION, entry

from llama_mcp.cli.commands import COMMANDS
from llama_mcp.reading_settings import findings_in, read_settings
from llama_mcp.settings import Settings

FACTS = read_facts()


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "llama_mcp-9.9-py3-none-any.whl"
    path.write_bytes(b"a wheel")
    return path


def test_a_bundle_asks_for_settings_that_there_are() -> None:
    assert {option.name for option in OPTIONS} <= set(Settings.model_fields)
    assert all(option.description for option in OPTIONS)


def test_what_a_host_leaves_unfilled_in_a_bundle_counts_as_unset() -> None:
    variables = manifest(FACTS)["server"]["mcp_config"]["env"]
    settings = read_settings(variables)
    assert settings.model_path is None and settings.ctx_size == Settings().ctx_size
    assert not settings.faults
    assert all("counts as unset" in finding for finding in findings_in(settings))


def test_what_a_host_fills_in_for_numbers_is_taken() -> None:
    asked = manifest(FACTS)["user_config"]
    numbers = {name: field for name, field in asked.items() if field["type"] == "number"}
    filled = {f"LLAMA_MCP_{name.upper()}": str(field["max"]) for name, field in numbers.items()}
    settings = read_settings(filled)
    assert not settings.faults
    assert {name: getattr(settings, name) for name in numbers} == {
        name: field["max"] for name, field in numbers.items()
    }


def test_a_payload_is_a_project_that_runs_the_wheel_beside_it(tmp_path: Path, wheel: Path) -> None:
    write_payload(tmp_path / "bundle", FACTS, wheel)
    project = tomllib.loads((tmp_path / "bundle/pyproject.toml").read_text("utf-8"))
    source = project["tool"]["uv"]["sources"][FACTS.name]["path"]
    assert (tmp_path / "bundle" / source).read_bytes() == b"a wheel"
    assert project["project"]["dependencies"] == [f"{FACTS.name}[engine]"]
    compile((tmp_path / "bundle" / MAIN).read_text("utf-8"), MAIN, "exec")


def test_every_plugin_starts_llama_mcp_from_its_own_folder(tmp_path: Path) -> None:
    claude_code = write_claude_code(tmp_path / "claude", FACTS)
    codex = write_codex(tmp_path / "codex", FACTS)
    gemini = write_gemini(tmp_path / "gemini", FACTS)
    entries = {
        "${CLAUDE_PLUGIN_ROOT}": claude_code / ".mcp.json",
        ".": codex / ".mcp.json",
        "${extensionPath}": gemini / "gemini-extension.json",
    }
    for folder, path in entries.items():
        server = json.loads(path.read_text("utf-8"))["mcpServers"][FACTS.name]
        assert server["command"] == "uv"
        assert server["args"][:4] == ["run", "--quiet", "--project", folder]
        assert server["args"][-1] == "llama-mcp"
    for market, listed in (("claude", ".claude-plugin"), ("codex", ".agents/plugins")):
        plugin = json.loads((tmp_path / market / listed / "marketplace.json").read_text("utf-8"))
        assert plugin["plugins"][0]["name"] == FACTS.name
        assert (tmp_path / market / FACTS.name / "README.md").exists()


def test_the_registry_s_entry_is_within_the_registry_s_limits() -> None:
    made = entry(FACTS, "someone")
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", made["name"])
    assert 0 < len(made["description"]) <= LONGEST_DESCRIPTION
    package = made["packages"][0]
    assert (package["identifier"], package["version"]) == (FACTS.name, FACTS.version)
    for variable in package["environmentVariables"]:
        assert isinstance(variable.get("default", ""), str)


def test_the_same_content_makes_the_same_bundle(tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = tmp_path / name / "in"
        folder.mkdir(parents=True)
        (folder / "b.txt").write_text("b")
        (folder / "a.txt").write_text("a")
    made = [zipped(tmp_path / name / "in", tmp_path / f"{name}.zip") for name in ("one", "two")]
    assert made[0].read_bytes() == made[1].read_bytes()
    assert zipfile.ZipFile(made[0]).namelist() == ["a.txt", "b.txt"]


def test_every_shell_s_completions_know_every_command(tmp_path: Path) -> None:
    written = write_completions(tmp_path / "completions")
    assert {path.name for path in written} == set(FILES.values())
    for path in written:
        text = path.read_text("utf-8")
        assert all(command.name in text for command in COMMANDS), path
