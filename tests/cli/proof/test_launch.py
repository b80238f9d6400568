"""Which variables a client hands on, and what a launch adds to them."""

from pathlib import Path

import pytest

from llama_mcp.cli.proof.launch import (
    PASSES_ALL,
    PASSES_LIKE_CODEX,
    PASSES_LIKE_DESKTOP,
    PASSES_LIKE_GEMINI,
    PASSES_LIKE_SDKS,
    Launch,
    Passes,
)
from llama_mcp.cli.proof.proving import environment_of

OF_A_SHELL = {
    "PATH": "/home/u/.local/bin:/usr/bin",
    "HOME": "/home/u",
    "TZ": "Europe/Berlin",
    "GITHUB_TOKEN": "t",
    "MonkeyPath": "m",
    "LLAMA_MCP_CTX_SIZE": "512",
}
# The names differ on Windows, and its tests have no variables of POSIX.
pytestmark = pytest.mark.posix


def test_a_client_that_hands_on_all_hands_on_all() -> None:
    assert PASSES_ALL.of(OF_A_SHELL) == OF_A_SHELL


def test_clients_on_an_sdk_hand_on_few() -> None:
    assert PASSES_LIKE_SDKS.of(OF_A_SHELL).keys() == {"PATH", "HOME"}


def test_codex_hands_on_its_own_list() -> None:
    assert PASSES_LIKE_CODEX.of(OF_A_SHELL).keys() == {"PATH", "HOME", "TZ"}


def test_gemini_keeps_back_what_looks_like_a_secret() -> None:
    kept_back = OF_A_SHELL.keys() - PASSES_LIKE_GEMINI.of(OF_A_SHELL).keys()
    assert kept_back == {"GITHUB_TOKEN", "MonkeyPath"}


def test_a_desktop_has_no_folder_of_a_shell_in_its_path() -> None:
    handed_on = PASSES_LIKE_DESKTOP.of(OF_A_SHELL)
    assert handed_on["HOME"] == "/home/u"
    assert "/home/u" not in handed_on["PATH"] and "/usr/bin" in handed_on["PATH"]


def test_the_proof_has_a_home_of_its_own_however_the_entry_spells_it(tmp_path: Path) -> None:
    entry = {
        "llama_mcp_home": "/of/the/user",
        "LLAMA_MCP_PORT": "8080",
        "LLAMA_MCP_MODEL_PATH": "m",
    }
    launch = Launch(("/bin/llama-mcp",), entry, Passes(), "initialize", "2025-06-18", 10)
    environment = environment_of(launch, tmp_path, {"LLAMA_MCP_HOME": "/of/the/shell"})
    assert environment == {
        "LLAMA_MCP_HOME": str(tmp_path),
        "LLAMA_MCP_PORT": "0",
        "LLAMA_MCP_LINGER_SECONDS": "0",
        "LLAMA_MCP_MODEL_PATH": "m",
    }


def test_the_entry_goes_before_what_is_handed_on(tmp_path: Path) -> None:
    launch = Launch(("/bin/llama-mcp",), {"TZ": "UTC"}, PASSES_LIKE_CODEX, "initialize", "", 10)
    assert environment_of(launch, tmp_path, OF_A_SHELL)["TZ"] == "UTC"
