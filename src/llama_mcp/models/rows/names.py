"""What rows are called: each by the shortest name that means no other, which a start then takes."""

import os
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Candidates:
    """What a model may be called, the shortest first.

    Attributes:
        path: Its file; the last resort.
        names: From the shortest on.
    """

    path: Path
    names: Sequence[str]


def shown_name(name: str) -> str:
    """Return a name as text of one line, whatever bytes a file's name has."""
    if name.isprintable():  # as nearly all are
        return name
    text = name.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def folded(name: str) -> str:
    """Return the name for comparison: file systems spell an accent in one character or in two."""
    return unicodedata.normalize("NFC", name).casefold()


def names_of(rows: Sequence[Candidates]) -> list[str]:
    """Return a name for each row; of two whose longest are the same, the first has that.

    A name under which the working folder has another file would mean that file.
    """
    uses = Counter(folded(name) for row in rows for name in dict.fromkeys(row.names))
    taken: set[str] = set()
    chosen = []
    for row in rows:
        free = [name for name in row.names if not _means_a_file(name, row.path)]
        alone = [name for name in free if uses[folded(name)] == 1]
        # Its longest is its own even where it is short for another.
        longest = [name for name in free[-1:] if folded(name) not in taken]
        name = next(iter((*alone, *longest)), shown_name(str(row.path)))
        taken.add(folded(name))
        chosen.append(name)
    return chosen


def _means_a_file(name: str, path: Path) -> bool:
    try:
        return os.path.isfile(name) and not os.path.samefile(name, path)
    except (OSError, ValueError):
        return False
