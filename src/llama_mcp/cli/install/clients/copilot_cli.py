"""GitHub Copilot CLI: without `tools` it offers none; its own command writes its file anew."""

from llama_mcp.cli.install.known.client import MODERN, Client, Start
from llama_mcp.cli.install.known.entry import EntryForm

COPILOT_CLI = Client(
    name="copilot",
    title="Copilot CLI",
    user_files=lambda places: [
        places.named("COPILOT_HOME", places.home / ".copilot") / "mcp-config.json"
    ],
    project_files=(".github/mcp.json",),
    entry_form=EntryForm(before={"type": "local"}, after={"tools": ["*"], "timeout": 600_000}),
    start=Start(protocol_version=MODERN),
    folders=lambda places: [places.named("COPILOT_HOME", places.home / ".copilot")],
    programs=("copilot",),
    to_do="Start a new session; `copilot mcp list` shows the entry.",
    to_do_in_project="Copilot CLI reads it only in a folder that it trusts.",
)
