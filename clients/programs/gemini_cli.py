"""Gemini CLI, told of llama-mcp as examples/gemini_settings.json says."""

from clients.programs.program import LIMIT_SECONDS, QUESTION, Index, Invocation, Program, Situation


def _invocation(situation: Situation) -> Invocation:
    settings = situation.standard_settings("gemini_settings.json", LIMIT_SECONDS * 1000)
    settings |= {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
        "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False},
    }
    situation.write(".gemini/settings.json", settings)
    bundle = situation.installed / "node_modules" / "@google" / "gemini-cli" / "bundle"
    variables = {
        "GEMINI_API_KEY": "none",
        "GOOGLE_GEMINI_BASE_URL": situation.model_url,
        # In a folder that is not trusted, it starts no servers, the user's own neither.
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
    }
    program = [situation.node, str(bundle / "gemini.js"), "--yolo"]
    return Invocation([*program, "-m", "gemini-2.5-flash", "-p", QUESTION], variables)


GEMINI_CLI = Program("Gemini CLI", Index.NPM, ("@google/gemini-cli@0.61.0",), _invocation)
