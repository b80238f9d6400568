"""The files of a split model: `stem-00001-of-00003.gguf`, counted from one.

llama-server takes the first and finds the others by their names beside it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# A file's name.
SHARD = re.compile(
    r"(?P<stem>.*)-(?P<number>[0-9]{5})-of-(?P<count>[0-9]{5})\.gguf", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Shard:
    """Which part of a split model a file is.

    Attributes:
        folder: Where all its files are.
        stem: What their names have in common.
        number: From 1 on.
        count: How many files there are.
        suffix: `.gguf`, as this file spells it.
    """

    folder: Path
    stem: str
    number: int
    count: int
    suffix: str

    @property
    def whole(self) -> tuple[Path, str, int]:
        """What the files of one model have in common."""
        return self.folder, self.stem, self.count

    def part(self, number: int) -> Path:
        """Return the file of another number."""
        return self.folder / f"{self.stem}-{number:05}-of-{self.count:05}{self.suffix}"

    def parts(self) -> Iterator[Path]:
        """Give all files, in order."""
        return (self.part(number) for number in range(1, self.count + 1))


def shard_of(path: Path) -> Shard | None:
    """Return which part a file is by its name; None when it is no part."""
    match = SHARD.fullmatch(path.name)
    if match is None or not int(match["number"]):
        return None
    number, count = int(match["number"]), int(match["count"])
    return Shard(path.parent, match["stem"], number, count, path.suffix)


def without_number(name: str) -> str:
    """Return a name without `.gguf` as all files of a split model have it."""
    match = SHARD.fullmatch(f"{name}.gguf")
    return match["stem"] if match else name
