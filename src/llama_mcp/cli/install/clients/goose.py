"""Goose: servers are extensions, with `cmd` and `envs`; the same folder on macOS as on Linux."""

from collections.abc import Sequence
from pathlib import Path

from llama_mcp.cli.install.forms.yaml_text import YamlText
from llama_mcp.cli.install.known.client import EDITOR, Client
from llama_mcp.cli.install.known.entry import NAME, EntryForm
from llama_mcp.cli.install.known.places import WINDOWS, Places


def _folders(places: Places) -> Sequence[Path]:
    if places.platform == WINDOWS:
        return [places.roaming / "Block" / "goose" / "config"]
    return [places.config / "goose"]


GOOSE = Client(
    name="goose",
    title="Goose",
    user_files=lambda places: [folder / "config.yaml" for folder in _folders(places)],
    keys=("extensions",),
    form=YamlText(),
    entry_form=EntryForm(
        before={"type": "stdio", "name": NAME, "enabled": True},
        after={"timeout": 600},
        command="cmd",
        env="envs",
    ),
    start=EDITOR,
    folders=_folders,
    programs=("goose",),
    to_do="Start a new session.",
)
