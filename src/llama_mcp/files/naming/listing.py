"""What lies in a folder or matches a pattern: in natural order, within bounds, past no link.

`**` stands for folders at any depth; `{a,b}` for either. Names that begin with a dot match only
what begins with one, too.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from pathlib import Path

from llama_mcp.files.errors import BadNameError, TooManyFilesError
from llama_mcp.files.naming.opening import entries_of
from llama_mcp.setting_texts import ON_WINDOWS

# So many entries are looked at for one call, whatever they match.
MAX_ENTRIES = 200_000
MAX_DEPTH = 64
MAX_BRACES = 64
_MAGIC = re.compile(r"[*?\[]")
# A comma stands in one place of the expression only: else a long text without an end takes minutes.
_BRACES = re.compile(r"\{([^{},]*(?:,[^{},]*)+)\}")
_NUMBER = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Listed:
    """Something in a folder that a pattern matches."""

    path: Path
    why_not: str = ""
    """Why it is not looked into, where it is not."""
    is_way: bool = False
    """Whether it is a link where the pattern has a folder: what it leads to is not looked into."""


def is_pattern(text: str) -> bool:
    """Tell whether a text can match more than one name."""
    return _MAGIC.search(text) is not None or _BRACES.search(text) is not None


def alternatives(pattern: str) -> list[str]:
    """Return the patterns that one with braces stands for.

    Raises:
        BadNameError: there are too many.
    """
    waiting, done = [pattern], []
    while waiting:
        text = waiting.pop(0)
        if found := _BRACES.search(text):
            parts = found[1].split(",")
            waiting += [text[: found.start()] + part + text[found.end() :] for part in parts]
        else:
            done.append(text)
        if len(waiting) + len(done) > MAX_BRACES:
            raise BadNameError(pattern, "its braces stand for too many patterns")
    return done


def split_pattern(pattern: str) -> tuple[str, tuple[str, ...]]:
    """Return the folder that a pattern begins with, and its parts below that."""
    parts = re.split(r"[\\/]" if ON_WINDOWS else "/", pattern)
    first = next(i for i, part in enumerate(parts) if _MAGIC.search(part))
    folder = "/".join(parts[:first])
    if first and not folder:
        folder = "/"
    return folder, tuple(part for part in parts[first:] if part not in ("", "."))


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return what sorts names as people do: file2 before file10."""
    pieces = _NUMBER.split(name.casefold())
    return tuple(
        (0, int(piece), piece) if piece.isdecimal() and len(piece) < 19 else (1, 0, piece)
        for piece in pieces
        if piece
    )


@dataclass
class Listing:
    """Looks into folders; what it has looked at is counted over all of them."""

    folders: tuple[Path, ...]
    """The folders that are open to callers."""
    looked_at: int = field(default=0)

    def all_in(self, folder: Path) -> Iterator[Listed]:
        """Yield the files in a folder and its folders, but for hidden ones; raises OSError."""
        return self.matching(folder, ("**", "*"))

    def matching(self, folder: Path, pattern: Sequence[str]) -> Iterator[Listed]:
        """Yield what matches the parts of a pattern below a folder.

        Raises:
            OSError: the folder cannot be looked into.
            TooManyFilesError: there is too much to look at.
            BadNameError: the pattern goes upwards.
        """
        if ".." in pattern:
            raise BadNameError("/".join(pattern), "a pattern cannot go upwards with `..`")
        parts = [_Part(part) for part in pattern]
        if parts[-1].is_deep:
            parts.append(_Part("*"))
        return self._walk(folder, parts, frozenset({0}), 0)

    def _walk(
        self, folder: Path, parts: Sequence["_Part"], places: frozenset[int], depth: int
    ) -> Iterator[Listed]:
        """Yield what matches below a folder that is reached at these places of the pattern."""
        places = _past_deep(parts, places)
        for name, is_folder, is_link in self._look_into(folder):
            path = folder / name
            after = {
                place + (not parts[place].is_deep) for place in places if parts[place].matches(name)
            }
            below = frozenset(after - {len(parts)})
            if len(parts) in after and not is_folder:
                yield Listed(path)
            elif below and is_link:
                yield Listed(path, is_way=True)
            elif below and is_folder and depth == MAX_DEPTH:
                yield Listed(path, f"it lies more than {MAX_DEPTH} folders deep")
            elif below and is_folder:
                yield from self._inner(path, parts, below, depth + 1)

    def _inner(
        self, path: Path, parts: Sequence["_Part"], places: frozenset[int], depth: int
    ) -> Iterator[Listed]:
        try:
            yield from self._walk(path, parts, places, depth)
        except OSError as error:
            yield Listed(path, f"the system refuses it ({error.strerror or error})")

    def _look_into(self, folder: Path) -> list[tuple[str, bool, bool]]:
        entries = entries_of(folder, self.folders)
        self.looked_at += len(entries)
        if self.looked_at > MAX_ENTRIES:
            raise TooManyFilesError(self.looked_at, MAX_ENTRIES, is_whole=False)
        seen = [(e.name, e.is_dir(follow_symlinks=False), e.is_symlink()) for e in entries]
        return sorted(seen, key=lambda entry: natural(entry[0]))


class _Part:
    """One part of a pattern, between two slashes."""

    def __init__(self, text: str) -> None:
        self.is_deep = text == "**"
        self._takes_hidden = text.startswith(".")
        self._expression = re.compile(translate("*" if self.is_deep else _cased(text)))

    def matches(self, name: str) -> bool:
        """Tell whether a name matches; hidden ones only do where the part is hidden, too."""
        if name.startswith(".") and not self._takes_hidden:
            return False
        return self._expression.match(_cased(name)) is not None


def _past_deep(parts: Sequence[_Part], places: frozenset[int]) -> frozenset[int]:
    """Return the places together with those that `**` reaches when it stands for no folder."""
    reached = set(places)
    for place in range(len(parts)):
        if place in reached and parts[place].is_deep:
            reached.add(place + 1)
    return frozenset(reached)


def _cased(name: str) -> str:
    return name.casefold() if ON_WINDOWS else name
