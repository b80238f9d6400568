"""The processes below one: llama-server is a tree, since what is executed may start the real one.

Nothing is remembered here. Who is below a process is asked of the system when it matters, and each
member is proved by its start time once more when it is signalled.
"""

import os
import sys
from collections.abc import Callable, Iterator

from llama_mcp.keeper import identity, macos

# proc_pid_stat(5): the fields behind the command begin with the state and the parent's pid.
_PARENT_AFTER_COMMAND = 1


def members_below(pid: int) -> dict[int, str]:
    """Return the start time of each live process below pid, by its pid; not of pid itself.

    Empty on Windows, where a job knows its processes. A process whose parent ends at this very
    moment may be missing, so who has to find all asks until there are none.
    """
    children_of, parent_of = _system()
    members: dict[int, str] = {}
    parents = [pid]
    while parents:
        parent = parents.pop()
        for child in children_of(parent):
            # In this order: a pid that is handed out again in between fails the proof later.
            start = identity.process_start(child)
            if start and child not in members and parent_of(child) == parent:
                members[child] = start
                parents.append(child)
    return members


def _system() -> tuple[Callable[[int], list[int]], Callable[[int], int | None]]:
    """Return who the children of a pid are, and who its parent is, as this system tells."""
    if sys.platform == "linux":
        return _linux_children(), _linux_parent
    if sys.platform == "win32":
        return lambda _pid: [], lambda _pid: None
    return macos.children_of, macos.parent_of


def _linux_children() -> Callable[[int], list[int]]:
    """Return what tells children: the kernel's own lists, else one look at all processes."""
    if os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
        return _listed_children
    children: dict[int, list[int]] = {}
    for child in filter(str.isdecimal, os.listdir("/proc")):
        parent = _linux_parent(int(child))
        if parent is not None:
            children.setdefault(parent, []).append(int(child))
    return lambda pid: children.get(pid, [])


def _listed_children(pid: int) -> list[int]:
    return [child for thread in _threads(pid) for child in _children_of_thread(pid, thread)]


def _threads(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def _children_of_thread(pid: int, thread: str) -> Iterator[int]:
    try:
        with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
            yield from map(int, file.read().split())
    except OSError:  # it has just ended
        return


def _linux_parent(pid: int) -> int | None:
    fields = identity.linux_stat(pid)
    return int(fields[_PARENT_AFTER_COMMAND]) if fields else None
