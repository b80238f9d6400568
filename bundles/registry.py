"""The entry of the MCP registry, from which clients learn how to start llama-mcp from PyPI.

Its schema is https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json.
"""

import json
from pathlib import Path
from typing import Any

from bundles.facts import OPTIONS, Facts, Option

SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
LONGEST_DESCRIPTION = 100
_FORMATS = {"file": "filepath", "directory": "filepath", "number": "number"}


def write_entry(path: Path, facts: Facts, owner: str) -> None:
    """Write server.json for the account of the forge that owns the name."""
    path.write_text(json.dumps(entry(facts, owner), indent=2) + "\n", "utf-8")


def entry(facts: Facts, owner: str) -> dict[str, Any]:
    """Return the entry."""
    return {
        "$schema": SCHEMA,
        "name": f"io.github.{owner}/{facts.name}",
        "title": facts.name,
        "description": _short(facts.description),
        "version": facts.version,
        "packages": [
            {
                "registryType": "pypi",
                "identifier": facts.name,
                "version": facts.version,
                "runtimeHint": "uvx",
                "transport": {"type": "stdio"},
                "environmentVariables": [_variable(option) for option in OPTIONS],
            }
        ],
    }


def _variable(option: Option) -> dict[str, Any]:
    variable: dict[str, Any] = {
        "name": option.variable,
        "description": option.description,
        "format": _FORMATS[option.kind],
        "isRequired": False,
        "isSecret": False,
    }
    default = option.schema.get("default")
    return variable | ({"default": str(default)} if option.kind == "number" else {})


def _short(description: str) -> str:
    """Return its first part: the registry takes no more."""
    first = description.split(":", 1)[0].rstrip(".")
    return f"{first}."[:LONGEST_DESCRIPTION]
