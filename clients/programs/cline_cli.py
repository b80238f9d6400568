"""Cline's command line, told of llama-mcp as examples/cline_mcp_settings.json says."""

from clients.programs.program import LIMIT_SECONDS, QUESTION, Index, Invocation, Program, Situation


def _invocation(situation: Situation) -> Invocation:
    settings = situation.standard_settings("cline_mcp_settings.json", LIMIT_SECONDS)
    situation.write(".cline/data/settings/cline_mcp_settings.json", settings)
    launcher = situation.installed / "node_modules" / "cline" / "bin" / "cline"
    cline = [situation.node, str(launcher)]
    model = ["-k", "none", "-m", "scripted", "-b", f"{situation.model_url}/v1"]
    return Invocation([*cline, QUESTION], {}, before=([*cline, "auth", "openai", *model],))


CLINE_CLI = Program("Cline CLI", Index.NPM, ("cline@3.0.65",), _invocation, is_light=False)
