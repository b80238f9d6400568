"""Continue's command line, told of llama-mcp as examples/continue_config.yaml says."""

import json

from clients.programs.program import QUESTION, Index, Invocation, Program, Situation, example

# Where the model is; JSON is YAML.
_MODELS = {
    "name": "scripted",
    "provider": "openai",
    "model": "scripted",
    "apiKey": "none",
    "capabilities": ["tool_use"],
}


def _invocation(situation: Situation) -> Invocation:
    models = [_MODELS | {"apiBase": f"{situation.model_url}/v1"}]
    entry = example("continue_config.yaml")
    entry = entry.replace("command: llama-mcp", f"command: {json.dumps(situation.command)}")
    head, _, _ = entry.partition("    env:")
    config = (
        f"{head}    env: {json.dumps(dict(situation.settings))}\nmodels: {json.dumps(models)}\n"
    )
    file = situation.write(".continue/config.yaml", config)
    program = situation.installed / "node_modules" / "@continuedev" / "cli" / "dist" / "cn.js"
    run = [situation.node, str(program), "--config", str(file), "--auto", "-p", QUESTION]
    return Invocation(run, {"CONTINUE_CLI_AUTO_UPDATED": "true", "CONTINUE_TELEMETRY_ENABLED": "0"})


CONTINUE_CLI = Program(
    "Continue CLI", Index.NPM, ("@continuedev/cli@1.5.47",), _invocation, is_light=False
)
