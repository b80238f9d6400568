"""Gemini CLI: its file takes comments, but no comma after the last member.

`gemini mcp add` does nothing while the file is odd, and says so to nobody.
"""

from llama_mcp.cli.install.forms.json_text import JsonText
from llama_mcp.cli.install.known.client import Client, Start
from llama_mcp.cli.proof.launch import PASSES_LIKE_GEMINI

GEMINI_CLI = Client(
    name="gemini",
    title="Gemini CLI",
    user_files=lambda places: [
        places.named("GEMINI_CLI_HOME", places.home) / ".gemini" / "settings.json"
    ],
    project_files=(".gemini/settings.json",),
    form=JsonText(has_trailing_commas=False),
    start=Start(passes=PASSES_LIKE_GEMINI, first_answer_seconds=600),
    folders=lambda places: [places.named("GEMINI_CLI_HOME", places.home) / ".gemini"],
    programs=("gemini",),
    to_do="In a folder that Gemini CLI does not trust, it starts no server: trust it there.",
)
