"""Codex, told of llama-mcp as examples/codex_config.toml says."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clients.programs.program import (
    LIMIT_SECONDS,
    QUESTION,
    Index,
    Invocation,
    Program,
    SetUp,
    Situation,
    example,
)

# What has nothing to do with llama-mcp: where the model is, and that nobody is asked.
_REST = """\
model = "scripted"
model_provider = "scripted"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false

[analytics]
enabled = false

[model_providers.scripted]
name = "scripted"
base_url = "{model_url}/v1"
wire_api = "responses"

"""


def _launcher(installed: Path, node: str) -> list[str]:
    return [node, str(installed / "node_modules" / "@openai" / "codex" / "bin" / "codex.js")]


def _invocation(situation: Situation) -> Invocation:
    entry = tomllib.loads(example("codex_config.toml"))["mcp_servers"]["llama-mcp"]
    entry |= {"command": situation.command, "env": dict(situation.settings)}
    entry["tool_timeout_sec"] = LIMIT_SECONDS
    rest = _REST.format(model_url=situation.model_url)
    table = "\n".join(_table("mcp_servers.llama-mcp", entry))
    home = situation.write(".codex/config.toml", f"{rest}{table}\n").parent
    run = [
        *_launcher(situation.installed, situation.node),
        "exec",
        "--skip-git-repo-check",
        QUESTION,
    ]
    return Invocation(run, {"CODEX_HOME": str(home)})


def _table(name: str, values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a TOML table; strings and numbers are written as in JSON."""
    yield f"[{name}]"
    for key, value in values.items():
        if not isinstance(value, dict):
            yield f"{key} = {json.dumps(value)}"
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _table(f"{name}.{key}", value)


CODEX = Program(
    "Codex",
    Index.NPM,
    ("@openai/codex@0.171.0",),
    _invocation,
    # It starts no server for its list.
    set_up=SetUp("codex", "codex", _launcher, r"llama-mcp .* enabled"),
)
