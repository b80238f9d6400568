"""Plugins for programs that have a market of their own: Claude Code, Gemini CLI, Codex.

Each is a folder that its program can be pointed at. What stands in the manifests was tried with
Claude Code 2.1, Gemini CLI 0.61 and Codex 0.171.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bundles.facts import OPTIONS, Facts
from bundles.payload import launch_arguments

README = "README.md"
# Codex gives up after 10 s, and the first start downloads; a tool may load a large model.
FIRST_START_SECONDS = 180
TOOL_SECONDS = 600
_README_TEXT = """\
# {name}

{description}

It needs [uv](https://docs.astral.sh/uv/) on the `PATH`. The first start downloads Python packages
and an engine (llama.cpp as a Python wheel), so it can take a minute; later ones take a second.
Everything runs on your machine: conversations stay in a file of your user, and llama-server listens
on 127.0.0.1 only.

Ask your assistant, for example: "Ask the local model what the capital of France is." The settings
are environment variables that begin with LLAMA_MCP_, such as LLAMA_MCP_MODEL_PATH for your own
model.
"""


def write_claude_code(market: Path, facts: Facts) -> Path:
    """Write the market and the plugin's manifests; return the plugin's folder."""
    plugin = market / facts.name
    _write(plugin / ".claude-plugin/plugin.json", _about(facts))
    _write(plugin / ".mcp.json", _servers(facts, "${CLAUDE_PLUGIN_ROOT}"))
    _write(
        market / ".claude-plugin/marketplace.json",
        {
            "name": facts.name,
            "owner": {"name": facts.author},
            "plugins": [
                {
                    "name": facts.name,
                    "source": f"./{facts.name}",
                    "description": facts.description,
                }
            ],
        },
    )
    _write_readme(plugin, facts)
    return plugin


def write_codex(market: Path, facts: Facts) -> Path:
    """Write the market and the plugin's manifests; return the plugin's folder."""
    plugin = market / facts.name
    about = _about(facts) | {"mcpServers": "./.mcp.json"}
    _write(plugin / ".codex-plugin/plugin.json", about)
    servers = _servers(facts, ".")
    # Codex fills in no placeholder; a relative working folder is below the plugin's own (tried).
    servers["mcpServers"][facts.name] |= {
        "cwd": ".",
        "startup_timeout_sec": FIRST_START_SECONDS,
        "tool_timeout_sec": TOOL_SECONDS,
    }
    _write(plugin / ".mcp.json", servers)
    _write(
        market / ".agents/plugins/marketplace.json",
        {
            "name": facts.name,
            "plugins": [
                {
                    "name": facts.name,
                    "source": {"source": "local", "path": f"./{facts.name}"},
                    "policy": {"installation": "AVAILABLE", "authentication": "ON_INSTALL"},
                    "category": "Developer Tools",
                }
            ],
        },
    )
    _write_readme(plugin, facts)
    return plugin


def write_gemini(extension: Path, facts: Facts) -> Path:
    """Write the manifest of the extension, which asks for the settings; return its folder."""
    settings = [
        {
            "name": option.title,
            "description": option.description,
            "envVar": option.variable,
            "sensitive": False,
        }
        for option in OPTIONS
    ]
    about = {name: text for name, text in _about(facts).items() if name != "author"}
    manifest = about | _servers(facts, "${extensionPath}") | {"settings": settings}
    _write(extension / "gemini-extension.json", manifest)
    _write_readme(extension, facts)
    return extension


def _about(facts: Facts) -> dict[str, Any]:
    return {
        "name": facts.name,
        "version": facts.version,
        "description": facts.description,
        "author": {"name": facts.author},
    }


def _servers(facts: Facts, folder: str) -> dict[str, Any]:
    return {"mcpServers": {facts.name: {"command": "uv", "args": list(launch_arguments(folder))}}}


def _write_readme(folder: Path, facts: Facts) -> None:
    text = _README_TEXT.format(name=facts.name, description=facts.description)
    (folder / README).write_text(text, "utf-8")


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
