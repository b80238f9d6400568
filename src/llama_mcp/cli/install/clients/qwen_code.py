"""Qwen Code, a relative of Gemini CLI; its own command has no place for `discoveryTimeoutMs`."""

from llama_mcp.cli.install.forms.json_text import JsonText
from llama_mcp.cli.install.known.client import Client, Start
from llama_mcp.cli.install.known.entry import EntryForm

QWEN_CODE = Client(
    name="qwen",
    title="Qwen Code",
    user_files=lambda places: [places.named("QWEN_HOME", places.home / ".qwen") / "settings.json"],
    project_files=(".qwen/settings.json",),
    form=JsonText(has_trailing_commas=False),
    entry_form=EntryForm(after={"discoveryTimeoutMs": 60_000}),
    start=Start(protocol_version="2025-11-25", first_answer_seconds=30),
    folders=lambda places: [places.named("QWEN_HOME", places.home / ".qwen")],
    programs=("qwen",),
    to_do="Start a new session; `qwen mcp list` shows whether it is connected.",
)
