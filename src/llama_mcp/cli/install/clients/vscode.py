"""VS Code with Copilot: the key is `servers`."""

from llama_mcp.cli.install.known.client import EDITOR, Client
from llama_mcp.cli.install.known.entry import EntryForm
from llama_mcp.cli.install.known.links import with_json

_NAMES = ("Code", "Code - Insiders", "VSCodium")

VSCODE = Client(
    name="vscode",
    title="VS Code",
    user_files=lambda places: [places.applications / name / "User" / "mcp.json" for name in _NAMES],
    project_files=(".vscode/mcp.json",),
    keys=("servers",),
    entry_form=EntryForm(before={"type": "stdio"}),
    start=EDITOR,
    folders=lambda places: [places.applications / name for name in _NAMES],
    programs=("code", "code-insiders", "codium"),
    to_do="VS Code asks for trust when it starts llama-mcp first.",
    link=lambda entry: with_json("vscode:mcp/install", entry),
)
