"""Looks at the files of a start, as far as a key needs it: a few places of each, not all of it."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from llama_mcp.llama_server.engine.extra_files import without_scale
from llama_mcp.llama_server.engine.locate import Engine
from llama_mcp.llama_server.saved_kv.key import Sample
from llama_mcp.llama_server.saved_kv.records import FileStamp
from llama_mcp.models.shards import shard_of
from llama_mcp.setting_texts import ON_WINDOWS

# A header, and the weights of some layers: a model that was trained on has others everywhere.
_HEAD_BYTES = 2**20
_BLOCK_BYTES = 64 * 1024
_BLOCKS = 15
# A build has some twenty libraries beside its program.
_MOST_LIBRARIES = 200
_LIBRARIES = (".so", ".dll", ".dylib", ".pyd")
_ENGINE_PACKAGE = "xllamacpp"


class Samples:
    """The files that a key rests on, and what they are known by. All methods read files."""

    def __init__(self) -> None:
        self.stamps: list[FileStamp] = []

    def of_model(self, path: Path) -> list[Sample]:
        """Return those of a model's files.

        Raises:
            OSError: one cannot be read.
        """
        shard = shard_of(path)
        return self.of(shard.parts() if shard else [path])

    def of_engine(self, engine: Engine) -> list[Sample]:
        """Return those of the program, and of the libraries that lie beside it, without contents.

        Raises:
            OSError: one cannot be looked at.
        """
        return [self._stamped(path, path.stat(), "") for path in _engine_files(engine)]

    def of_named(self, arguments: Sequence[str]) -> list[Sample]:
        """Return those of every file that an argument names, by itself or with others.

        Raises:
            OSError: one cannot be read.
        """
        return self.of(_named_files(arguments))

    def of(self, paths: Iterable[Path]) -> list[Sample]:
        """Return those of the files.

        Raises:
            OSError: one cannot be read.
        """
        return [self._sample(path) for path in paths]

    def _sample(self, path: Path) -> Sample:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            digest = hashlib.sha256(file.read(_HEAD_BYTES))
            for start in _blocks(found.st_size):
                file.seek(start)
                digest.update(file.read(_BLOCK_BYTES))
        return self._stamped(path, found, digest.hexdigest())

    def _stamped(self, path: Path, found: os.stat_result, digest: str) -> Sample:
        size, mtime_ns = found.st_size, found.st_mtime_ns
        self.stamps.append(FileStamp(path=str(path), size=size, mtime_ns=mtime_ns))
        return Sample(size, mtime_ns, digest)


def _blocks(size: int) -> Iterator[int]:
    """Give where blocks begin that are spread over a file behind its head, the last at its end."""
    behind = size - _HEAD_BYTES
    if behind > 0:
        last = max(_HEAD_BYTES, size - _BLOCK_BYTES)
        step = (last - _HEAD_BYTES) / max(_BLOCKS - 1, 1)
        yield from sorted({_HEAD_BYTES + int(number * step) for number in range(_BLOCKS)})


def _engine_files(engine: Engine) -> Iterator[Path]:
    if engine.kind == "embedded":
        spec = find_spec(_ENGINE_PACKAGE)
        for folder in (spec.submodule_search_locations if spec else None) or ():
            yield from _libraries_in(Path(folder))
        return
    program = Path(os.path.realpath(engine.command[0]))
    yield program
    yield from _libraries_in(program.parent)


def _libraries_in(folder: Path) -> list[Path]:
    """Return the libraries of a folder: a program of a few bytes may have all its code in them."""
    names = sorted(os.listdir(folder))
    found = [name for name in names if any(ending in name.lower() for ending in _LIBRARIES)]
    files = (folder / name for name in found[:_MOST_LIBRARIES])
    return [file for file in files if file.is_file()]


def _named_files(arguments: Sequence[str]) -> Iterator[Path]:
    for argument in arguments:
        for part in dict.fromkeys((argument, *argument.split(","))):
            path = without_scale(part, windows=ON_WINDOWS)
            if os.path.isabs(path) and os.path.isfile(path):
                yield Path(path)
