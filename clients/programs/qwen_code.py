"""Qwen Code, told of llama-mcp as examples/qwen_settings.json says."""

from clients.programs.program import LIMIT_SECONDS, QUESTION, Index, Invocation, Program, Situation


def _invocation(situation: Situation) -> Invocation:
    settings = situation.standard_settings("qwen_settings.json", LIMIT_SECONDS * 1000)
    settings |= {
        "security": {"auth": {"selectedType": "openai"}},
        "general": {"enableAutoUpdate": False},
        "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False},
    }
    situation.write(".qwen/settings.json", settings)
    package = situation.installed / "node_modules" / "@qwen-code" / "qwen-code"
    variables = {
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": f"{situation.model_url}/v1",
        "OPENAI_MODEL": "scripted",
    }
    program = [situation.node, str(package / "cli-entry.js"), "--yolo"]
    return Invocation([*program, "-p", QUESTION], variables)


QWEN_CODE = Program(
    "Qwen Code", Index.NPM, ("@qwen-code/qwen-code@0.24.4",), _invocation, is_light=False
)
