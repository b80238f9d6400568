"""Launches for the proof: the installed command, and small programs that stand before it."""

import sys
from pathlib import Path
from typing import Any

from llama_mcp.cli.proof.launch import PASSES_LIKE_SDKS, Era, Launch
from tests.support.client_process import COMMAND, LlamaMCP

# As clients ask; a busy machine is given time where the limit is not what a test is about.
ASKED: dict[Era, str] = {"2026-07-28": "2026-07-28", "initialize": "2025-06-18"}
LONG_SECONDS = 120.0
# Becomes llama-mcp, with the same pipes.
BECOME_LLAMA_MCP = f"import os; os.execv({COMMAND!r}, [{COMMAND!r}])"


def launch_of(llama_mcp: LlamaMCP, era: Era = "2026-07-28", **other: Any) -> Launch:
    """Return how a client without a limit to speak of starts it."""
    usual: dict[str, Any] = {
        "argv": llama_mcp.command,
        "env": llama_mcp.variables,
        "passes": PASSES_LIKE_SDKS,
        "era": era,
        "protocol_version": ASKED[era],
        "first_answer_seconds": LONG_SECONDS,
        "exit_seconds": LONG_SECONDS,
    }
    return Launch(**usual | other)


def program(folder: Path, text: str) -> tuple[str, ...]:
    """Return the command of a Python program with that text."""
    path = folder / "program.py"
    path.write_text(text, encoding="utf-8")
    return (sys.executable, "-P", str(path))
