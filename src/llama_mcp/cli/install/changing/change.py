"""What is to be done to a client's file: worked out from its text, nothing is written here."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from llama_mcp.cli.install.changing import backups
from llama_mcp.cli.install.changing.config_file import BOM, ConfigFile
from llama_mcp.cli.install.errors import ClientFileError, NoProjectFileError
from llama_mcp.cli.install.forms.editing import (
    Edit,
    NotEditableError,
    Spot,
    UnreadableTextError,
    Value,
    applied,
    entries_at,
    held_at,
    place_in,
    put,
    taken_out,
)
from llama_mcp.cli.install.known.client import Client
from llama_mcp.cli.install.known.entry import NAME, Entry
from llama_mcp.cli.install.known.places import Places


class Kind(StrEnum):
    """What a change does with our entry."""

    NOTHING = "nothing"
    ADD = "add"
    REPLACE = "replace"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one file.

    Attributes:
        kind: What it does.
        read: The file as it was read.
        edits: Where its text changes.
        content: What the file is to be; None for a file that is to be gone.
        is_as_before: Whether that is what it was before llama-mcp came, byte for byte.
    """

    kind: Kind
    read: ConfigFile
    edits: tuple[Edit, ...] = ()
    content: bytes | None = None
    is_as_before: bool = False

    def hunk(self) -> tuple[str, ...]:
        """Return what goes and what comes, and nothing of what stands around it."""
        return tuple(_hunk(self.read.text, self.edits))


def file_of(client: Client, places: Places, *, is_project: bool) -> Path:
    """Return the client's file: one that is there, else one in a folder of a client that is here.

    Raises:
        NoProjectFileError: the client has none of a project.
    """
    files = client.files(places, is_project=is_project)
    if not files:
        raise NoProjectFileError(client.title)
    here = [folder for folder in client.folders(places) if folder.is_dir()]
    near = [file for file in files if any(file.is_relative_to(folder) for folder in here)]
    return next((file for file in files if file.exists()), (near or files)[0])


def change_to_add(client: Client, read: ConfigFile, value: Value) -> Change:
    """Return the change after which our entry has a value; raises ClientFileError."""
    text = read.text
    with _told_of(read.path):
        entries = entries_at(client.form.parsed(text), client.keys)
        if entries.get(NAME) == value:
            return Change(Kind.NOTHING, read)
        edits = tuple(put(client.form, text, client.spot, value))
    kind = Kind.REPLACE if NAME in entries else Kind.ADD
    return Change(kind, read, edits, read.with_text(applied(text, edits)))


def change_to_remove(client: Client, read: ConfigFile) -> Change:
    """Return the change after which our entry is gone; raises ClientFileError.

    What was made for the entry alone goes too, where a backup shows what was there before.
    """
    text = read.text
    with _told_of(read.path):
        entries = entries_at(client.form.parsed(text), client.keys)
        if NAME not in entries:
            return Change(Kind.NOTHING, read)
        before = list(_contents_before(client, read.target))
        for content in (*before, *(() if before else (None,))):
            if _is_that_with_entry(client, content, read, entries[NAME]):
                new = ConfigFile(read.path, read.target, content).text
                return Change(Kind.REMOVE, read, (_span(text, new),), content, is_as_before=True)
        edits = tuple(taken_out(client.form, text, client.spot))
        if before and len(entries) == 1:
            edits = _without_what_held_it(client, text, edits, before[0])
    return Change(Kind.REMOVE, read, edits, read.with_text(applied(text, edits)))


def has_entry(client: Client, content: bytes) -> bool:
    """Tell whether a content of the client's file has our entry."""
    try:
        text = content.removeprefix(BOM).decode()
        return NAME in entries_at(client.form.parsed(text), client.keys)
    except (UnicodeDecodeError, UnreadableTextError):
        return False


def value_in(client: Client, read: ConfigFile) -> Value | None:
    """Return our entry as it stands there; None if it is not there."""
    value = entries_at(client.form.parsed(read.text), client.keys).get(NAME)
    return value if isinstance(value, dict) else None


def entry_in(client: Client, read: ConfigFile) -> Entry | None:
    """Return what our entry starts; None if it is not there or starts nothing."""
    return client.entry_form.read(value_in(client, read))


def other_names(client: Client, read: ConfigFile) -> list[str]:
    """Return the names of other entries that start a llama-mcp."""
    try:
        entries = entries_at(client.form.parsed(read.text), client.keys)
    except UnreadableTextError:
        return []
    started = {name: client.entry_form.read(value) for name, value in entries.items()}
    return [
        name for name, entry in started.items() if entry and name != NAME and entry.is_llama_mcp
    ]


def _contents_before(client: Client, target: Path) -> Iterator[bytes]:
    """Yield the backups from before our entry came, the newest first."""
    for content in backups.contents(target):
        if not has_entry(client, content):
            yield content


def _is_that_with_entry(
    client: Client, content: bytes | None, read: ConfigFile, value: Value
) -> bool:
    """Tell whether the file is a content into which we put our entry, and nothing else since."""
    before = ConfigFile(read.path, read.target, content)
    try:
        edits = put(client.form, before.text, client.spot, value)
    except (ClientFileError, UnreadableTextError, NotEditableError):
        return False
    return before.with_text(applied(before.text, edits)) == read.content


def _without_what_held_it(
    client: Client, text: str, edits: tuple[Edit, ...], before: bytes
) -> tuple[Edit, ...]:
    """Return edits that take out what held the entry too, if it was not there before."""
    meaning = client.form.parsed(before.removeprefix(BOM).decode())
    if held_at(meaning, client.keys) is not None:
        return edits
    after = applied(text, edits)
    try:
        more = taken_out(client.form, after, Spot(client.keys[:-1], client.keys[-1]))
    except NotEditableError:
        return edits
    return (_span(text, applied(after, more)),)


def _span(old: str, new: str) -> Edit:
    """Return the one edit that makes a new text of an old one."""
    most = min(len(old), len(new))
    start = next((at for at in range(most) if old[at] != new[at]), most)
    room = most - start
    same = next((n for n in range(room) if old[-1 - n] != new[-1 - n]), room)
    return Edit(start, len(old) - same, new[start : len(new) - same])


def _hunk(text: str, edits: Sequence[Edit]) -> Iterator[str]:
    for edit in sorted(edits, key=lambda edit: edit.start):
        gone, come = text[edit.start : edit.end], edit.new
        blank = len(come or gone) - len((come or gone).lstrip("\r\n"))
        yield f"@@ {place_in(text, edit.start + (blank if gone else 0)).partition(',')[0]} @@"
        yield from (f"-{line}" for line in gone.splitlines() if line.strip())
        yield from (f"+{line}" for line in come.splitlines() if line.strip())


@contextmanager
def _told_of(path: Path) -> Iterator[None]:
    """Tell what is wrong with a text as an error of its file."""
    try:
        yield
    except UnreadableTextError as error:
        raise ClientFileError(path, f"cannot be read: {error}") from error
    except NotEditableError as error:
        raise ClientFileError(path, f"has no place for the entry: {error}") from error
