"""Qwen Code, told of llama-mcp as examples/qwen_settings.json says."""

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


def _launcher(installed: Path, node: str) -> list[str]:
    package = installed / "node_modules" / "@qwen-code" / "qwen-code"
    return [node, str(package / "cli-entry.js")]


def _invocation(situation: Situation) -> Invocation:
    settings = situation.standard_settings("qwen_settings.json", LIMIT_SECONDS * 1000)
    settings |= {
        "security": {"auth": {"selectedType": "openai"}},
        "general": {"enableAutoUpdate": False},
        "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False},
    }
    situation.write(".qwen/settings.json", settings)
    variables = {
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": f"{situation.model_url}/v1",
        "OPENAI_MODEL": "scripted",
    }
    program = [*_launcher(situation.installed, situation.node), "--yolo"]
    return Invocation([*program, "-p", QUESTION], variables)


QWEN_CODE = Program(
    "Qwen Code",
    Index.NPM,
    ("@qwen-code/qwen-code@0.24.4",),
    _invocation,
    is_light=False,
    set_up=SetUp("qwen", "qwen", _launcher, r"llama-mcp: .* Connected"),
)
