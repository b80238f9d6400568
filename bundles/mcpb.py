"""The MCP bundle for Claude Desktop: one file that a person opens.

Its format is https://github.com/modelcontextprotocol/mcpb, manifest version 0.4 with a server of
type `uv`.
"""

import json
from pathlib import Path
from typing import Any

from bundles.facts import OPTIONS, Facts, Option
from bundles.payload import MAIN, launch_arguments
from llama_mcp.toolsets import PAGE_TOOLS, TOOLS

MANIFEST = "manifest.json"


def write_manifest(folder: Path, facts: Facts) -> None:
    """Write the manifest beside the payload."""
    (folder / MANIFEST).write_text(json.dumps(manifest(facts), indent=2) + "\n", "utf-8")


def manifest(facts: Facts) -> dict[str, Any]:
    """Return the manifest."""
    return {
        "manifest_version": "0.4",
        "name": facts.name,
        "display_name": facts.name,
        "version": facts.version,
        "description": facts.description,
        "author": {"name": facts.author},
        "license": facts.licence,
        "keywords": list(facts.keywords),
        "server": {
            "type": "uv",
            "entry_point": MAIN,
            "mcp_config": {
                "command": "uv",
                "args": list(launch_arguments("${__dirname}")),
                "env": {option.variable: f"${{user_config.{option.name}}}" for option in OPTIONS},
            },
        },
        "tools": [{"name": name} for name in sorted(TOOLS - PAGE_TOOLS)],
        "tools_generated": False,
        "prompts_generated": True,
        "user_config": {option.name: _asked(option) for option in OPTIONS},
        "compatibility": {
            "platforms": ["darwin", "linux", "win32"],
            "runtimes": {"python": facts.requires_python},
        },
    }


def _asked(option: Option) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "type": option.kind,
        "title": option.title,
        "description": option.description,
        "required": False,
    }
    if option.kind != "number":
        return asked
    return asked | {
        "default": option.schema["default"],
        "min": option.schema["minimum"],
        "max": option.schema["maximum"],
    }
