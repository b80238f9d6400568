"""Zed: entries are context servers in its settings, which are JSON with comments."""

from collections.abc import Sequence
from pathlib import Path

from llama_mcp.cli.install.known.client import EDITOR, Client
from llama_mcp.cli.install.known.entry import EntryForm
from llama_mcp.cli.install.known.places import MACOS, WINDOWS, Places


def _folders(places: Places) -> Sequence[Path]:
    """Return its folder: that of XDG on Linux, and ~/.config on macOS whatever XDG says."""
    if places.platform == WINDOWS:
        return [places.roaming / "Zed"]
    config = places.home / ".config" if places.platform == MACOS else places.config
    return [config / "zed"]


ZED = Client(
    name="zed",
    title="Zed",
    user_files=lambda places: [folder / "settings.json" for folder in _folders(places)],
    project_files=(".zed/settings.json",),
    keys=("context_servers",),
    entry_form=EntryForm(before={"source": "custom"}, after={"timeout": 600}),
    start=EDITOR,
    folders=_folders,
    programs=("zed", "zeditor"),
    to_do="Zed starts it by itself; its agent settings show it.",
    to_do_in_project="Zed starts a project's servers only once the project is trusted.",
)
