"""Cline: the extension of VS Code, or its command line where only that is there."""

from llama_mcp.cli.install.known.client import Client, Start
from llama_mcp.cli.install.known.entry import EntryForm

_SETTINGS = "settings/cline_mcp_settings.json"


CLINE = Client(
    name="cline",
    title="Cline",
    user_files=lambda places: [
        places.applications / "Code/User/globalStorage/saoudrizwan.claude-dev" / _SETTINGS,
        places.home / ".cline/data" / _SETTINGS,
    ],
    entry_form=EntryForm(after={"disabled": False, "timeout": 600}),
    # Its command line gives up after 3 s, without a word.
    start=Start(protocol_version="2024-11-05", first_answer_seconds=3, is_in_current_folder=False),
    folders=lambda places: [
        places.applications / "Code/User/globalStorage/saoudrizwan.claude-dev",
        places.home / ".cline",
    ],
    programs=("cline",),
    to_do="Cline connects by itself; its page of MCP servers shows it.",
)
