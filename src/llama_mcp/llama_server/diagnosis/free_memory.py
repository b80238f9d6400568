"""How much memory a program that is started here can have: the machine's, and its group's limit."""

from pathlib import Path

import psutil

_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")
# The limit, the use, and what of that is files that the kernel lets go when it needs room, as
# Linux' two versions of control groups call them; the last is in memory.stat.
_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def available_bytes() -> int:
    """Return what is free of the machine, or of a container or job that may have less."""
    return min([psutil.virtual_memory().available, *free_in_groups(_GROUPS, _OWN_GROUPS)])


def free_in_groups(root: Path, own: Path) -> list[int]:
    """Return what is left of each control group with a limit that this process is in.

    Only Linux has them.

    Args:
        root: where the groups are mounted.
        own: the file that says which groups this process is in.
    """
    try:
        groups = [line.split(":", 2) for line in own.read_text().splitlines()]
    except OSError:
        return []
    found = []
    for _, controllers, path in filter(lambda parts: len(parts) == 3, groups):
        top = root / "memory" if "memory" in controllers.split(",") else root
        group = top / path.lstrip("/")
        # In a container the path is often the host's, and what is mounted is the group itself.
        for folder in {group, *group.parents, top}:
            if folder.is_relative_to(top):
                found += _left(folder)
    return found


def _left(folder: Path) -> list[int]:
    for limit, use, reclaimable in _FILES:
        try:
            left = int((folder / limit).read_text()) - int((folder / use).read_text())
        except (OSError, ValueError):  # absent, or without a limit ("max")
            continue
        return [left + _from_statistics(folder, reclaimable)]
    return []


def _from_statistics(folder: Path, name: str) -> int:
    """Return a number of memory.stat; 0 where it is not there."""
    try:
        lines = [line.split() for line in (folder / "memory.stat").read_text().splitlines()]
        return next((int(parts[1]) for parts in lines if parts[:1] == [name]), 0)
    except (OSError, ValueError, IndexError):
        return 0
