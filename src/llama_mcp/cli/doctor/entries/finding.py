"""The entries of a client that start a llama-mcp: the user's, a folder's, a project's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_mcp.cli.install.changing.config_file import read_file
from llama_mcp.cli.install.errors import ClientFileError
from llama_mcp.cli.install.forms.editing import UnreadableTextError, entries_at
from llama_mcp.cli.install.known.client import Client
from llama_mcp.cli.install.known.entry import NAME, Entry
from llama_mcp.cli.install.known.places import Places

USER, FOLDER, PROJECT = "user", "this folder", "project"


@dataclass(frozen=True, slots=True)
class FoundEntry:
    """An entry that starts a llama-mcp.

    Attributes:
        client: Whose it is.
        file: Where it stands.
        scope: Where it counts: for the user, or in this folder only.
        name: What it is called there.
        entry: What it starts.
        written: All that stands there.
    """

    client: Client
    file: Path
    scope: str
    name: str
    entry: Entry
    written: Mapping[str, Any]

    @property
    def is_off(self) -> bool:
        """Whether the client is told not to start it."""
        return bool(self.written.get("disabled")) or self.written.get("enabled") is False

    @property
    def title(self) -> str:
        """What to call it."""
        return f"{self.client.title} ({self.scope}, `{self.name}`)"


def entries_of(client: Client, places: Places) -> list[FoundEntry]:
    """Return the client's entries that start a llama-mcp. Blocking.

    Raises:
        ClientFileError: a file of its cannot be read.
    """
    found: list[FoundEntry] = []
    for scope, files in (
        (USER, client.files(places, is_project=False)),
        (PROJECT, client.files(places, is_project=True)),
    ):
        for file in filter(Path.exists, files):
            found += _in_file(client, file, scope, places.current)
    return found


def _in_file(client: Client, file: Path, scope: str, current: Path) -> Iterator[FoundEntry]:
    try:
        meaning = client.form.parsed(read_file(file).text)
    except UnreadableTextError as error:
        raise ClientFileError(file, f"cannot be read: {error}") from error
    # Claude Code keeps what counts in one folder in the user's file.
    of_folder = ("projects", str(current), *client.keys)
    for where, keys in ((scope, client.keys), (FOLDER, of_folder)):
        yield from _at(client, file, where, meaning, keys)


def _at(
    client: Client, file: Path, scope: str, meaning: Any, keys: Sequence[str]
) -> Iterator[FoundEntry]:
    for name, written in entries_at(meaning, keys).items():
        entry = client.entry_form.read(written)
        if entry is not None and (name == NAME or entry.is_llama_mcp):
            yield FoundEntry(client, file, scope, name, entry, written)
