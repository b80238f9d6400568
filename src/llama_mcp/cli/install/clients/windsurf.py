"""Windsurf."""

from llama_mcp.cli.install.known.client import EDITOR, Client

WINDSURF = Client(
    name="windsurf",
    title="Windsurf",
    user_files=lambda places: [places.home / ".codeium" / "windsurf" / "mcp_config.json"],
    start=EDITOR,
    folders=lambda places: [places.home / ".codeium" / "windsurf"],
    programs=("windsurf",),
    to_do="Refresh the servers in Windsurf's settings, or start it again.",
)
