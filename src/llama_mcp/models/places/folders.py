"""Folders as they are walked here: read only, in bounds, and never through a link to a folder."""

import json
import os
import stat
import sys
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

MAX_DEPTH = 6
MAX_FOLDERS = 5000
# Of one folder; more are not looked at.
MAX_ENTRIES = 20_000
# What a program notes about a model has a few kilobytes.
MAX_NOTE_BYTES = 1 << 20

GGUF = ".gguf"
# What stands behind a file's name, or is a file of its own beside it, while it is downloaded:
# aria2 and Firefox write into the file itself. GPT4All puts a word before the name.
_HALF_BESIDE = (".aria2", ".part", ".crdownload")
_HALF_BEFORE = "incomplete-"


def gguf_files(folder: Path, depth: int = MAX_DEPTH) -> Iterator[Path]:
    """Give the GGUF files below a folder, this many levels down; half-downloaded ones are none."""
    for here, files in walk(folder, depth):
        for name in filter(is_gguf_name, files):
            if not _is_half(name, files):
                yield here / name


def walk(folder: Path, depth: int) -> Iterator[tuple[Path, dict[str, None]]]:
    """Give each folder from this one on, with its files' names; what is hidden is left out."""
    waiting = [(folder, depth)]
    for _ in range(MAX_FOLDERS):
        if not waiting:
            return
        here, levels = waiting.pop()
        shown = [entry for entry in entries(here) if not entry.name.startswith(".")]
        folders = [entry for entry in shown if is_folder(entry)] if levels else []
        # The last is taken first.
        waiting += [(here / entry.name, levels - 1) for entry in reversed(folders)]
        yield here, {entry.name: None for entry in shown if is_file(entry)}


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return what is in a folder, sorted; nothing of one that is missing or locked."""
    try:
        with os.scandir(folder) as found:
            return sorted(islice(found, MAX_ENTRIES), key=lambda entry: entry.name)
    except (OSError, ValueError):
        return []


def subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder, sorted; links to folders are none, and hidden ones too."""
    inside = (entry for entry in entries(folder) if not entry.name.startswith("."))
    return [folder / entry.name for entry in inside if is_folder(entry)]


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a folder itself, and no link to one."""
    try:
        if not entry.is_dir(follow_symlinks=False):
            return False
        if sys.platform == "win32":  # a junction is a link
            tag = entry.stat(follow_symlinks=False).st_reparse_tag
            return tag != stat.IO_REPARSE_TAG_MOUNT_POINT
    except OSError:
        return False
    return True


def is_file(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a file, or a link that leads to one."""
    try:
        return entry.is_file()
    except OSError:  # a link that leads to itself, or into a locked folder
        return False


def is_gguf_name(name: str) -> bool:
    """Tell whether a file is called a GGUF."""
    return name.lower().endswith(GGUF)


def plain_name(path: Path) -> str:
    """Return a path as a name: with `/`, without `.gguf`."""
    name = path.as_posix()
    return name[: -len(GGUF)] if is_gguf_name(name) else name


def read_note(path: Path) -> str:
    """Return the text of a small file; nothing of one that is missing, large, or no file."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            return ""
        with path.open("rb") as file:
            content = file.read(MAX_NOTE_BYTES + 1)
    except (OSError, ValueError):
        return ""
    return "" if len(content) > MAX_NOTE_BYTES else content.decode("utf-8-sig", "surrogateescape")


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object of a small file; an empty one where it holds none."""
    try:
        value = json.loads(read_note(path))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _is_half(name: str, beside: Collection[str]) -> bool:
    return name.lower().startswith(_HALF_BEFORE) or any(
        name + end in beside for end in _HALF_BESIDE
    )
