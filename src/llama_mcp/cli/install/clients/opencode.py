"""opencode: the command is a list, and the settings are called `environment`."""

from llama_mcp.cli.install.known.client import Client, Start
from llama_mcp.cli.install.known.entry import EntryForm

OPENCODE = Client(
    name="opencode",
    title="opencode",
    user_files=lambda places: [
        places.config / "opencode" / file for file in ("opencode.json", "opencode.jsonc")
    ],
    project_files=("opencode.json", "opencode.jsonc"),
    keys=("mcp",),
    entry_form=EntryForm(
        before={"type": "local"},
        after={"enabled": True, "timeout": 600_000},
        is_one_list=True,
        env="environment",
    ),
    start=Start(),
    folders=lambda places: [places.config / "opencode"],
    programs=("opencode",),
    to_do="Start a new session; `opencode mcp list` shows whether it is connected.",
)
