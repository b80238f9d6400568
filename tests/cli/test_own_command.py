"""What a client is told to start, and whether that will be there tomorrow."""

import sys
from pathlib import Path

import pytest

from llama_mcp.cli.own_command import own_command, why_not_lasting
from tests.support.client_process import COMMAND

NONE: tuple[str, ...] = ()


def test_the_command_that_was_given_is_told_with_its_whole_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", [COMMAND, "doctor"])
    assert own_command() == (COMMAND,)


def test_a_command_of_the_search_path_is_told_with_its_whole_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["llama-mcp", "doctor"])
    monkeypatch.setenv("PATH", str(Path(COMMAND).parent))
    assert own_command() == (COMMAND,)


def test_a_module_that_was_run_is_told_as_the_command_beside_its_python(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/llama_mcp/__main__.py", "doctor"])
    assert own_command() == (COMMAND,)


def test_without_a_command_the_module_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python = str(tmp_path / "python")
    monkeypatch.setattr(sys, "argv", ["/somewhere/llama_mcp/__main__.py", "doctor"])
    monkeypatch.setattr(sys, "executable", python)
    assert own_command() == (python, "-P", "-m", "llama_mcp")


def test_what_is_installed_lasts() -> None:
    assert why_not_lasting("/home/u/.local/share/uv/tools/llama-mcp/bin/llama-mcp", NONE) is None


@pytest.mark.posix
def test_what_lies_in_a_temporary_folder_does_not_last() -> None:
    why = why_not_lasting("/scratch/x/bin/llama-mcp", ["/scratch"])
    assert why == "lies in the temporary folder /scratch"


@pytest.mark.parametrize(
    "folder", ["/home/u/.cache/uv/archive-v0/aB3", "/home/u/.local/pipx/.cache/5f"]
)
def test_what_lies_in_a_cache_of_a_tool_does_not_last(folder: str) -> None:
    why = why_not_lasting(f"{folder}/bin/llama-mcp", NONE)
    assert why and "lies in a tool's cache" in why


@pytest.mark.posix
def test_where_a_link_leads_counts_as_well(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "llama-mcp").touch()
    (tmp_path / "llama-mcp").symlink_to(tmp_path / "cache" / "llama-mcp")
    why = why_not_lasting(str(tmp_path / "llama-mcp"), [str(tmp_path / "cache")])
    assert why is not None
