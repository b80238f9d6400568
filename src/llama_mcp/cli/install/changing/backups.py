"""What a file was before: kept beside it, never more than two of one file.

The newest shows what the last change replaced; the newest without our entry shows what was there
before llama-mcp. By the latter `uninstall` tells what was made for the entry alone.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

_MARK = ".before-llama-mcp-"
_TIME = "%Y%m%d-%H%M%S"


def back_up(target: Path, now: datetime) -> Path:
    """Copy a file to its backup, with mode and times; return where that is.

    Args:
        target: the file.
        now: the time that is part of the name.
    """
    backup = _free_name(target, now)
    shutil.copyfile(target, backup, follow_symlinks=False)
    shutil.copystat(target, backup)
    return backup


def backups_of(target: Path) -> list[Path]:
    """Return the backups of a file, the newest first."""
    found = (path for path in target.parent.glob(f"{_escaped(target.name)}{_MARK}*"))
    return sorted(found, key=lambda path: path.name, reverse=True)


def contents(target: Path) -> Iterator[bytes]:
    """Yield what the backups of a file hold, the newest first."""
    for backup in backups_of(target):
        yield backup.read_bytes()


def forget_equal(target: Path) -> None:
    """Delete the backups that are what the file is again, and those that came after the oldest."""
    content = target.read_bytes() if target.exists() else None
    kept = backups_of(target)
    equal = [index for index, backup in enumerate(kept) if backup.read_bytes() == content]
    for backup in kept[: equal[-1] + 1] if equal else ():
        backup.unlink()


def forget_older(target: Path, has_entry: Callable[[bytes], bool]) -> None:
    """Delete all backups but the newest, and the newest without our entry.

    Args:
        target: the file.
        has_entry: tells whether a content has our entry.
    """
    newest, *older = backups_of(target)
    without = next((path for path in older if not has_entry(path.read_bytes())), None)
    is_enough = not has_entry(newest.read_bytes())
    for backup in older:
        if is_enough or backup != without:
            backup.unlink()


def _free_name(target: Path, now: datetime) -> Path:
    for count in range(1, 1000):
        more = f"-{count}" if count > 1 else ""
        backup = target.with_name(f"{target.name}{_MARK}{now.strftime(_TIME)}{more}")
        try:
            os.close(os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            continue
        return backup
    raise FileExistsError(f"{backup} and many more like it are there")


def _escaped(name: str) -> str:
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in name)
