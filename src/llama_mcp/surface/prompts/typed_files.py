"""How a person types the names of several files in one text: with commas between them."""

import json
import re

# Wherever one name ends and the next begins.
_BETWEEN = re.compile(r"[,\n]")


def files_in(typed: str) -> list[str]:
    """Return the names in a text: between commas or line ends, or in a list as JSON.

    The list is for names that have a comma themselves.
    """
    names = _listed(typed) or _BETWEEN.split(typed)
    return [name for name in map(_bare, names) if name]


def last_name(typed: str) -> tuple[str, str]:
    """Return what is typed before the last name, and as much of this as is typed."""
    start = max(typed.rfind(","), typed.rfind("\n")) + 1
    name = typed[start:].lstrip()
    return typed[: len(typed) - len(name)], name


def is_typable(name: str) -> bool:
    """Tell whether a name can stand among others as it is."""
    return files_in(name) == [name]


def _listed(typed: str) -> list[str]:
    try:
        names = json.loads(typed)
    except (ValueError, RecursionError):
        return []
    is_list = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return names if is_list else []


def _bare(name: str) -> str:
    """Return a name without what surrounds it, quotes of a shell too."""
    bare = name.strip()
    if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "'\"":
        return bare[1:-1]
    return bare
