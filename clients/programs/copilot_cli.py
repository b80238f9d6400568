"""GitHub Copilot CLI, told of llama-mcp as examples/copilot_mcp_config.json says."""

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

_OFFLINE = {"COPILOT_AUTO_UPDATE": "false", "COPILOT_OFFLINE": "true"}


def _launcher(installed: Path, node: str) -> list[str]:
    return [node, str(installed / "node_modules" / "@github" / "copilot" / "npm-loader.js")]


def _invocation(situation: Situation) -> Invocation:
    settings = situation.standard_settings("copilot_mcp_config.json", LIMIT_SECONDS * 1000)
    situation.write(".copilot/mcp-config.json", settings)
    variables = {
        "COPILOT_HOME": str(situation.home / ".copilot"),
        **_OFFLINE,
        "COPILOT_PROVIDER_BASE_URL": f"{situation.model_url}/v1",
        "COPILOT_MODEL": "scripted",
    }
    program = _launcher(situation.installed, situation.node)
    run = [*program, "--allow-all-tools", "--no-color", "-p", QUESTION]
    return Invocation(run, variables)


COPILOT_CLI = Program(
    "Copilot CLI",
    Index.NPM,
    ("@github/copilot@1.0.102",),
    _invocation,
    is_light=False,
    # It starts no server for its list.
    set_up=SetUp("copilot", "copilot", _launcher, r"llama-mcp \(local\)", _OFFLINE),
)
