"""Cursor."""

from llama_mcp.cli.install.known.client import EDITOR, Client
from llama_mcp.cli.install.known.links import with_base64

CURSOR = Client(
    name="cursor",
    title="Cursor",
    user_files=lambda places: [places.home / ".cursor" / "mcp.json"],
    project_files=(".cursor/mcp.json",),
    start=EDITOR,
    folders=lambda places: [places.home / ".cursor"],
    programs=("cursor",),
    to_do="Turn llama-mcp on in Cursor's settings, on the page for MCP, if it is not.",
    link=lambda entry: with_base64("cursor://anysphere.cursor-deeplink/mcp/install", entry),
)
