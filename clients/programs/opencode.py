"""opencode, told of llama-mcp as examples/opencode.json says."""

import json
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
    example,
)

_QUIET = {
    "OPENCODE_DISABLE_AUTOUPDATE": "1",
    "OPENCODE_DISABLE_MODELS_FETCH": "1",
    "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
    "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
}


def _invocation(situation: Situation) -> Invocation:
    settings = json.loads(example("opencode.json"))
    settings["mcp"]["llama-mcp"] |= {
        "command": [situation.command],
        "environment": dict(situation.settings),
        "timeout": LIMIT_SECONDS * 1000,
    }
    settings |= {
        "autoupdate": False,
        "share": "disabled",
        "model": "scripted/scripted",
        "small_model": "scripted/scripted",
        "provider": {"scripted": _provider(situation.model_url)},
    }
    situation.write(".config/opencode/opencode.json", settings)
    return Invocation([*_launcher(situation.installed, situation.node), "run", QUESTION], _QUIET)


def _provider(model_url: str) -> dict[str, object]:
    return {
        "npm": "@ai-sdk/openai-compatible",
        "name": "scripted",
        "options": {"baseURL": f"{model_url}/v1", "apiKey": "none"},
        "models": {"scripted": {"name": "scripted", "tool_call": True}},
    }


def _launcher(installed: Path, _node: str) -> list[str]:
    machine = {"x86_64": "x64-baseline", "aarch64": "arm64"}[platform.machine()]
    name = f"opencode-{sys.platform}-{machine}"
    return [str(installed / "node_modules" / name / "bin" / "opencode")]


OPENCODE = Program(
    "opencode",
    Index.NPM,
    ("opencode-ai@1.18.33",),
    _invocation,
    set_up=SetUp("opencode", "opencode", _launcher, r"llama-mcp .*connected", _QUIET),
)
