"""Claude Desktop: one comma too many in its file, and every server is gone without a word."""

from llama_mcp.cli.install.known.client import STRICT_JSON, Client

CLAUDE_DESKTOP = Client(
    name="claude-desktop",
    title="Claude Desktop",
    user_files=lambda places: [places.applications / "Claude" / "claude_desktop_config.json"],
    form=STRICT_JSON,
    folders=lambda places: [places.applications / "Claude"],
    to_do="Quit Claude Desktop altogether, also in the tray or the menu bar, and start it again.",
)
