"""Gemini CLI, told of llama-mcp as examples/gemini_settings.json says."""

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

# In a folder that is not trusted, it starts no servers, the user's own neither.
_TRUST = {"GEMINI_CLI_TRUST_WORKSPACE": "true"}


def _launcher(installed: Path, node: str) -> list[str]:
    bundle = installed / "node_modules" / "@google" / "gemini-cli" / "bundle"
    return [node, str(bundle / "gemini.js")]


def _invocation(situation: Situation) -> Invocation:
    settings = situation.standard_settings("gemini_settings.json", LIMIT_SECONDS * 1000)
    settings |= {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
        "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False},
    }
    situation.write(".gemini/settings.json", settings)
    variables = {
        "GEMINI_API_KEY": "none",
        "GOOGLE_GEMINI_BASE_URL": situation.model_url,
        **_TRUST,
    }
    program = [*_launcher(situation.installed, situation.node), "--yolo"]
    return Invocation([*program, "-m", "gemini-2.5-flash", "-p", QUESTION], variables)


GEMINI_CLI = Program(
    "Gemini CLI",
    Index.NPM,
    ("@google/gemini-cli@0.61.0",),
    _invocation,
    set_up=SetUp("gemini", "gemini", _launcher, r"llama-mcp: .* Connected", _TRUST),
)
