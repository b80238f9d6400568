"""Codex: its command line, its IDE extension and its app share the file.

`codex mcp add` takes no time limits, and writes tables of others anew.
"""

from llama_mcp.cli.install.forms.toml_text import TomlText
from llama_mcp.cli.install.known.client import Client, Start
from llama_mcp.cli.install.known.entry import EntryForm
from llama_mcp.cli.proof.launch import PASSES_LIKE_CODEX

CODEX = Client(
    name="codex",
    title="Codex",
    user_files=lambda places: [places.named("CODEX_HOME", places.home / ".codex") / "config.toml"],
    project_files=(".codex/config.toml",),
    keys=("mcp_servers",),
    form=TomlText(),
    entry_form=EntryForm(after={"startup_timeout_sec": 30, "tool_timeout_sec": 600}),
    start=Start(passes=PASSES_LIKE_CODEX, first_answer_seconds=30),
    folders=lambda places: [places.named("CODEX_HOME", places.home / ".codex")],
    programs=("codex",),
    to_do="Start a new session; `codex mcp list` shows the entry.",
    to_do_in_project="Codex reads it only in a folder that it trusts.",
)
