"""The end of a name that a person has begun to type."""

import os
import re
from collections.abc import Callable
from pathlib import Path

from llama_mcp.files.border import FileBorder
from llama_mcp.files.errors import FileRefusedError, NoFoldersError
from llama_mcp.files.naming.asked import MAX_CHARACTERS
from llama_mcp.files.naming.listing import natural
from llama_mcp.files.naming.opening import entries_of
from llama_mcp.files.naming.windows_names import is_on_another_machine
from llama_mcp.setting_texts import ON_WINDOWS, is_address
from llama_mcp.visible_text import visible_line

_LAST_PART = re.compile(r"[^\\/]*\Z" if ON_WINDOWS else r"[^/]*\Z")


def names_from(
    typed: str, border: FileBorder, limit: int, can_be_told: Callable[[str], bool] = bool
) -> list[str]:
    """Return what may be read and has a name that begins so, in natural order.

    Upper and lower case count as the same, hidden names only show when a dot is typed, and a
    folder's name ends with `/`. What cannot be looked into gives nothing.

    Args:
        typed: a path as far as it is there, absolute or relative.
        border: where callers may read.
        limit: at most so many.
        can_be_told: tells whether the caller can do with a name; others give nothing.
    """
    start = _LAST_PART.search(typed)
    # Only to look for what lies elsewhere would tell that machine who the user is.
    is_elsewhere = is_address(typed) or (ON_WINDOWS and is_on_another_machine(typed))
    if start is None or len(typed) > MAX_CHARACTERS or is_elsewhere:
        return []
    above, beginning = typed[: start.start()], start[0].casefold()
    folder = _folder(above, border)
    if folder is None:
        return []
    found: list[str] = []
    for name in _names_in(folder, border):
        is_shown = beginning.startswith(".") or not name.startswith(".")
        if name.casefold().startswith(beginning) and is_shown:
            kind = _kind(folder / name, border)
            if kind is not None and can_be_told(whole := f"{above}{name}{kind}"):
                found.append(whole)
        if len(found) == limit:
            break
    return found


def _folder(above: str, border: FileBorder) -> Path | None:
    """Return the real folder that is meant, if it may be looked into."""
    for base in border.bases(border.read_dirs):
        try:
            real = Path(os.path.realpath(base / Path(above).expanduser(), strict=True))
            border.check_readable(real, above)
        except (FileRefusedError, NoFoldersError, OSError, ValueError, RuntimeError):
            continue
        return real
    return None


def _names_in(folder: Path, border: FileBorder) -> list[str]:
    try:
        names = [entry.name for entry in entries_of(folder, border.read_dirs)]
    except OSError:
        return []
    return sorted(filter(_is_plain, names), key=natural)


def _is_plain(name: str) -> bool:
    """Tell whether a name can be shown as it is: names on disks are bytes, and may be of any."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return visible_line(name) == name


def _kind(path: Path, border: FileBorder) -> str | None:
    """Return what a name ends with, `/` for a folder; None when it may not be read."""
    try:
        border.check_name(path, path.name)
        real = Path(os.path.realpath(path, strict=True))
        border.check_readable(real, path.name)
        if real.is_dir():
            return "/"
        return "" if real.is_file() else None
    except (FileRefusedError, NoFoldersError, OSError, ValueError):
        return None
