"""The files that places have, looked at: each blob once, with its size and what its header says."""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llama_mcp.models.errors import HeaderUnreadableError
from llama_mcp.models.facts import ModelFacts
from llama_mcp.models.gguf.known_facts import KnownFacts
from llama_mcp.models.places.found import Found
from llama_mcp.models.shards import Shard, shard_of
from llama_mcp.paths import is_inside

# One of which nobody knows the number: Windows has none for some disks of others.
_NO_NUMBER = 0


@dataclass(slots=True)
class GgufFile:
    """One file, by all the names that it was found by.

    Attributes:
        found: As it was found first.
        size_bytes: Of this file alone.
        shard: Which part of a split model it is; None for no part.
        others: As it was found again.
        facts: What its header says; None where that was not read.
        problem: Why its header cannot be read.
    """

    found: Found
    size_bytes: int
    shard: Shard | None
    others: list[Found] = field(default_factory=list)
    facts: ModelFacts | None = None
    problem: str | None = None

    @property
    def path(self) -> Path:
        """As llama-server is given it."""
        return self.found.path

    @property
    def named_projectors(self) -> Iterator[Path]:
        """What programs say is its projector."""
        return (each.projector for each in (self.found, *self.others) if each.projector)


def look_at(found: Iterable[Found], allowed: Sequence[Path]) -> list[GgufFile]:
    """Return each file once, in the order in which they were found.

    Args:
        found: What places have.
        allowed: The only folders from which a file may come, links followed; empty for any.
    """
    folders = [folder.expanduser().resolve() for folder in allowed]
    files: dict[object, GgufFile] = {}
    for each in found:
        status = regular_file(each.path)
        if status is None or (folders and not _is_allowed(each.path, folders)):
            continue
        file = GgufFile(each, status.st_size, shard_of(each.path))
        known = files.setdefault(_identity(each.path, status), file)
        if known is not file:
            known.others.append(each)
    return list(files.values())


def read_headers(files: Iterable[GgufFile], facts: KnownFacts) -> None:
    """Add to each file what its header says; later parts of split models have none."""
    for file in files:
        if file.shard is None or file.shard.number == 1:
            try:
                file.facts = facts.of(file.path)
            except HeaderUnreadableError as error:
                file.problem = error.problem


def regular_file(path: Path) -> os.stat_result | None:
    """Return what the system says of a file; None of what is missing, locked or no file."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _is_allowed(path: Path, folders: Sequence[Path]) -> bool:
    try:
        real = path.resolve()
    except (OSError, RuntimeError):  # it has become a link that leads to itself
        return False
    return any(is_inside(real, folder) for folder in folders)


def _identity(path: Path, status: os.stat_result) -> object:
    """Return what two names of one file have in common: links and copies of its entry."""
    if status.st_ino == _NO_NUMBER:
        return os.path.realpath(path), status.st_size
    return status.st_dev, status.st_ino
