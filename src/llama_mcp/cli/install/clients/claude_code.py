"""Claude Code, by its own command: while it runs, it writes its file again and again."""

from llama_mcp.cli.install.known.client import MODERN, STRICT_JSON, Client, OwnCommand, Start
from llama_mcp.cli.install.known.entry import NAME, EntryForm

CLAUDE_CODE = Client(
    name="claude-code",
    title="Claude Code",
    user_files=lambda places: [places.named("CLAUDE_CONFIG_DIR", places.home) / ".claude.json"],
    project_files=(".mcp.json",),
    form=STRICT_JSON,
    entry_form=EntryForm(before={"type": "stdio"}),
    start=Start(protocol_version=MODERN, first_answer_seconds=30),
    folders=lambda places: [places.home / ".claude"],
    programs=("claude",),
    to_do="Start a new session; `claude mcp list` shows whether it is connected.",
    to_do_in_project="Claude Code asks once whether this project's servers may run.",
    # Without `-s user` it would be there in the current folder only.
    own_command=OwnCommand(
        "claude",
        add=("mcp", "add-json", "-s", "user", NAME),
        remove=("mcp", "remove", "-s", "user", NAME),
    ),
)
