"""Claude Code, told of llama-mcp with its own command, as the README says."""

import platform
import sys
from pathlib import Path

from clients.programs.program import (
    LIMIT_SECONDS,
    QUESTION,
    Index,
    Invocation,
    Program,
    SetUp,
    Situation,
)

VERSION = "2.1.332"


_QUIET = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}


def _launcher(installed: Path, _node: str) -> list[str]:
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    built_for = f"{sys.platform}-{machine}"
    modules = installed / "node_modules" / "@anthropic-ai"
    return [str(modules / f"claude-code-{built_for}" / "claude")]


def _invocation(situation: Situation) -> Invocation:
    (claude,) = _launcher(situation.installed, situation.node)
    settings = [part for item in situation.settings.items() for part in ("-e", "=".join(item))]
    tell = [claude, "mcp", "add", "-s", "user", "llama-mcp", *settings, "--", situation.command]
    variables = {
        "ANTHROPIC_BASE_URL": situation.model_url,
        "ANTHROPIC_API_KEY": "none",
        **_QUIET,
        "MCP_TOOL_TIMEOUT": str(LIMIT_SECONDS * 1000),
    }
    run = [claude, "-p", "--allowedTools", "mcp__llama-mcp", "--", QUESTION]
    return Invocation(run, variables, (tell,))


CLAUDE_CODE = Program(
    "Claude Code",
    Index.NPM,
    (f"@anthropic-ai/claude-code@{VERSION}",),
    _invocation,
    hides_tools=True,
    set_up=SetUp("claude-code", "claude", _launcher, r"llama-mcp: .* Connected", _QUIET),
)
