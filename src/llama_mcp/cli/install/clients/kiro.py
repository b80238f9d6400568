"""Kiro, the IDE and its command line; once Amazon Q."""

from llama_mcp.cli.install.known.client import EDITOR, Client
from llama_mcp.cli.install.known.entry import EntryForm

KIRO = Client(
    name="kiro",
    title="Kiro",
    user_files=lambda places: [places.home / ".kiro" / "settings" / "mcp.json"],
    project_files=(".kiro/settings/mcp.json",),
    entry_form=EntryForm(after={"disabled": False}),
    start=EDITOR,
    folders=lambda places: [places.home / ".kiro"],
    programs=("kiro", "kiro-cli"),
    to_do="Kiro connects by itself; its list of MCP servers shows it.",
)
