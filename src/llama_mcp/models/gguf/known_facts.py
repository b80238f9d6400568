"""What the headers of files say, read once: kept across processes in one file.

A process reads that file once and writes it whole. Where two write at a time, the later one adds
what the earlier has learned.
"""

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import Any

from pydantic import TypeAdapter, ValidationError

from llama_mcp.keeper.run_dir import read_whole, write_whole
from llama_mcp.long_paths import openable
from llama_mcp.models.errors import HeaderUnreadableError
from llama_mcp.models.facts import ModelFacts
from llama_mcp.models.gguf.reading import other_shards, read_facts

_logger = logging.getLogger(__name__)
_MOST_ENTRIES = 4096
# Size in bytes and time of change in nanoseconds of each file of a model, one after the other.
_Stamp = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    stamp: _Stamp
    facts: ModelFacts | None = None
    problem: str = ""


_Entries = dict[str, _Entry]


class KnownFacts:
    """The facts of files, by path, size and time of change. Any thread may use it.

    Args:
        cache_file: where they are kept; None keeps them in memory only.
    """

    def __init__(self, cache_file: Path | None) -> None:
        self._cache_file = cache_file
        self._entries: _Entries | None = None
        self._has_news = False
        self._lock = Lock()

    def of(self, path: Path) -> ModelFacts:
        """Return what the header of a file says; it is read only where it is not known.

        Raises:
            HeaderUnreadableError: as `read_facts`.
        """
        key, stamp = os.path.abspath(path), _stamp(path)
        if not stamp:
            return read_facts(path)  # which says why there is nothing to read
        with self._lock:
            entry = self._loaded().get(key)
        if entry is None or entry.stamp != stamp:
            entry = self._keep(key, _read(path, stamp))
        if entry.facts is None:
            raise HeaderUnreadableError(str(path), entry.problem)
        return entry.facts

    def save(self) -> None:
        """Write what is new, for other processes and the next one; a file that cannot be, is not.

        What is of files that are gone, or have changed, is left out.
        """
        with self._lock:
            if self._cache_file is None or not self._has_news:
                return
            known = _still_true(chain(_read_file(self._cache_file).items(), self._loaded().items()))
            try:
                _write_file(self._cache_file, known)
            except OSError as error:
                _logger.info("What is known of models cannot be kept: %s", error)
                return
            self._entries, self._has_news = known, False

    def _loaded(self) -> _Entries:
        if self._entries is None:
            self._entries = _read_file(self._cache_file) if self._cache_file else {}
        return self._entries

    def _keep(self, key: str, entry: _Entry) -> _Entry:
        with self._lock:
            self._loaded()[key] = entry
            self._has_news = True
        return entry


def _read(path: Path, stamp: _Stamp) -> _Entry:
    try:
        return _Entry(stamp, read_facts(path))
    except HeaderUnreadableError as error:
        if isinstance(error.__cause__, OSError):
            raise  # that can change without the file
        return _Entry(stamp, problem=error.problem)


def _stamp(path: Path) -> _Stamp:
    """Size and time of change of a file and of those that belong to it; empty without the first."""
    numbers: list[int] = []
    for part in chain([path], other_shards(path)):
        try:
            status = os.stat(openable(str(part)))
        except (OSError, ValueError):
            break
        numbers += [status.st_size, status.st_mtime_ns]
    return tuple(numbers)


def _still_true(known: Iterable[tuple[str, _Entry]]) -> _Entries:
    """Return those of files that are as they were, the latest where there are too many."""
    true = {key: entry for key, entry in known if _stamp(Path(key)) == entry.stamp}
    return dict(list(true.items())[-_MOST_ENTRIES:])


def _read_file(path: Path) -> _Entries:
    """Return what is kept; nothing where that is damaged, or by another edition of llama-mcp."""
    try:
        content = read_whole(str(path)) or {}
        return _entries().validate_python(content["files"]) if _is_ours(content) else {}
    except (OSError, KeyError, ValidationError):
        return {}


def _is_ours(content: dict[str, Any]) -> bool:
    return content.get("edition") == _edition()


def _write_file(path: Path, entries: _Entries) -> None:
    # JSON is UTF-8, and a file's name may be anything.
    writable = {key: entry for key, entry in entries.items() if _is_text(key)}
    files = _entries().dump_python(writable, mode="json")
    os.makedirs(path.parent, mode=0o700, exist_ok=True)
    write_whole(str(path), {"edition": _edition(), "files": files})


def _is_text(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


@cache
def _entries() -> TypeAdapter[_Entries]:
    return TypeAdapter(_Entries)


@cache
def _edition() -> str:
    """Name the code that reads headers: after an upgrade, all of them are read anew."""
    room = Path(__file__).parent
    sources = [room.parent / "facts.py", *sorted(room.glob("*.py"))]
    return blake2b(b"".join(map(_source, sources)), digest_size=16).hexdigest()


def _source(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
