"""The models that the operator has named in a file, read again when it has changed."""

import os
import stat
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from llama_mcp.copied_text import plain_text
from llama_mcp.long_paths import openable
from llama_mcp.models.entries.entry import Entry, NamedModel, RemoteModel
from llama_mcp.models.entries.parsing import MAX_BYTES, parsed
from llama_mcp.models.errors import ModelsFileError, ModelUnusableError
from llama_mcp.models.rows.names import folded
from llama_mcp.visible_text import visible_line

# O_NONBLOCK: what has become a FIFO since it was looked at must not make us wait for its writer.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
# Two changes within so long can have one time: FAT keeps it to 2 s.
_TICK_SECONDS = 2.0
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

_Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Read:
    """What a file held, and how it looked then."""

    stamp: _Stamp
    entries: tuple[Entry, ...]
    problems: tuple[str, ...]


class NamedModels:
    """The entries of the operator's file.

    Every method looks at the file, and one on a network may take long: call it in a thread.
    """

    def __init__(self, path: Path | None) -> None:
        """Take the absolute path of the file; None when the operator has none."""
        self._path = path
        self._read: _Read | None = None

    def all(self) -> tuple[Entry, ...]:
        """Return the entries, in the order of the file.

        Raises:
            ModelsFileError: the file cannot be read, or is wrong.
        """
        if self._path is None:
            return ()
        try:
            read = self._current(self._path)
        except OSError as error:
            problem = (error.strerror or str(error)).rstrip(".")
            raise ModelsFileError(self._path, [f"it cannot be read: {problem}"]) from error
        if read.problems:
            raise ModelsFileError(self._path, read.problems)
        return read.entries

    def own(self) -> tuple[NamedModel, ...]:
        """Return the entries of models that are started here; raises as `all` does."""
        return tuple(entry for entry in self.all() if isinstance(entry, NamedModel))

    def elsewhere(self) -> tuple[RemoteModel, ...]:
        """Return the entries of engines that somebody else runs; raises as `all` does."""
        return tuple(entry for entry in self.all() if isinstance(entry, RemoteModel))

    def exactly(self, name: str) -> Entry | None:
        """Return the entry of a name, in whatever case; raises as `all` does."""
        wanted = folded(plain_text(name))
        return next((entry for entry in self.all() if folded(entry.name) == wanted), None)

    def find(self, name: str) -> Entry | None:
        """Return the entry of a name, in whatever case, or the only one whose name begins so.

        Raises:
            ModelsFileError: the file cannot be read, or is wrong.
            ModelUnusableError: several names begin so.
        """
        if (entry := self.exactly(name)) is not None:
            return entry
        found = self.beginning(name)
        if len(found) > 1:
            names = ", ".join(entry.name for entry in found)
            problem = f"{len(found)} models of {found[0].file} begin so"
            raise ModelUnusableError(name, problem, f"Pass one of them: {names}.")
        return found[0] if found else None

    def beginning(self, name: str) -> list[Entry]:
        """Return the entries whose names begin so; raises as `all` does."""
        wanted = folded(plain_text(name))
        return [entry for entry in self.all() if wanted and folded(entry.name).startswith(wanted)]

    def _current(self, path: Path) -> _Read:
        """Return what the file holds; raises OSError."""
        status = os.stat(openable(str(path)))
        if self._read is None or self._read.stamp != _stamp(status):
            read = _read(path, status)
            if abs(time.time() - status.st_mtime) < _TICK_SECONDS:
                return read
            self._read = read
        return self._read


@cache
def named_in(path: Path | None) -> NamedModels:
    """Return the entries of a file, which is read once for all of this process."""
    return NamedModels(path)


def notes_on_file(path: Path | None) -> tuple[str, ...]:
    """Return what is wrong with a file of models, or odd; it is looked at."""
    try:
        entries = named_in(path).all()
    except ModelsFileError as error:
        return (error.situation,)
    if path is None or entries:
        return ()
    return (f"{visible_line(str(path))}, which LLAMA_MCP_MODELS names, has no [[models]].",)


def _read(path: Path, status: os.stat_result) -> _Read:
    if problem := _no_file(status):  # some devices do something when they are opened
        return _Read(_stamp(status), (), (problem,))
    descriptor = os.open(openable(str(path)), _FLAGS)
    with open(descriptor, "rb") as file:
        opened = os.fstat(descriptor)
        if problem := _no_file(opened):
            return _Read(_stamp(opened), (), (problem,))
        content = file.read(MAX_BYTES + 1)
    try:
        return _Read(_stamp(opened), parsed(content, path), ())
    except ModelsFileError as error:
        return _Read(_stamp(opened), (), error.problems)


def _no_file(status: os.stat_result) -> str | None:
    """Return what it is, in words, when it is no ordinary file."""
    if stat.S_ISREG(status.st_mode):
        return None
    return f"it is {_KINDS.get(stat.S_IFMT(status.st_mode), 'something else')}, and not a file"


def _stamp(status: os.stat_result) -> _Stamp:
    return status.st_mtime_ns, status.st_size, status.st_ino
