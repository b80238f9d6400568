"""Continue: a list in YAML, each entry with its name."""

from llama_mcp.cli.install.forms.yaml_text import YamlText
from llama_mcp.cli.install.known.client import Client, Start
from llama_mcp.cli.install.known.entry import NAME, EntryForm

CONTINUE = Client(
    name="continue",
    title="Continue",
    user_files=lambda places: [places.home / ".continue" / "config.yaml"],
    project_files=(f".continue/mcpServers/{NAME}.yaml",),
    form=YamlText(),
    entry_form=EntryForm(before={"name": NAME}),
    is_list=True,
    beginning="name: Local assistant\nversion: 1.0.0\nschema: v1\n",
    start=Start(protocol_version="2025-11-25", is_in_current_folder=False),
    folders=lambda places: [places.home / ".continue"],
    programs=("cn",),
    to_do="Continue offers the tools in its agent mode.",
)
