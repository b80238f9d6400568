"""Paths as callers and operators give them: any text, kept to the folders that are allowed."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from llama_mcp.errors import InvalidArgumentError, PathNotAllowedError
from llama_mcp.setting_texts import ON_WINDOWS, is_address, plain_path


def expand_path(parameter: str, text: str) -> Path:
    """Return the path that a text means, with `~` expanded; nothing needs to be there.

    What copying leaves around a path is taken away, unless a file really has such a name.

    Raises:
        InvalidArgumentError: nothing can be there, or this user may not look: a web address, too
            long a name, a NUL, an unknown user after `~`, a folder that is locked, a variable.
    """
    if is_address(text):
        raise InvalidArgumentError(
            parameter,
            f"is an address ({text.strip()}) and not a path",
            "Pass what is on this machine, or ask the user to download it.",
        )
    try:
        path = Path(text).expanduser()
        if not path.exists():
            path = Path(plain_path(text, windows=ON_WINDOWS)).expanduser()
        with suppress(FileNotFoundError, NotADirectoryError):
            os.stat(path)
    except (OSError, RuntimeError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise InvalidArgumentError(
            parameter, f"is a path that cannot be used: {reason.rstrip('.')}", "Pass another one."
        ) from error
    return path


def absolute_path(path: Path) -> Path:
    """Return the path from the root, without `..` where that is the same file; links are kept."""
    plain = Path(os.path.abspath(path))
    with suppress(OSError, ValueError):
        return plain if not path.exists() or plain.samefile(path) else path.absolute()
    return path.absolute()


def check_path(path: Path, parameter: str, allowed: Sequence[Path]) -> None:
    """Raise PathNotAllowedError for a path outside the allowed folders, links followed."""
    if not allowed:
        return
    real = path.expanduser().resolve()
    if not any(is_inside(real, folder.expanduser().resolve()) for folder in allowed):
        raise PathNotAllowedError(parameter, str(real), [str(folder) for folder in allowed])


def is_inside(path: Path, folder: Path) -> bool:
    """Tell whether a path is a folder or lies in it, however the two are spelled.

    On file systems that ignore case (macOS, Windows) one folder has many spellings; there the
    system says whether two are the same.
    """
    return path.is_relative_to(folder) or any(
        is_same_file(parent, folder) for parent in (path, *path.parents)
    )


def is_same_file(one: Path, other: Path) -> bool:
    """Tell whether two paths lead to one file or folder, or are one path."""
    try:
        return one == other or one.samefile(other)
    except (OSError, ValueError):  # one of them is not there
        return False
