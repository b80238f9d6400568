"""Reads what the header of a file says of a model."""

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from io import FileIO
from itertools import islice
from pathlib import Path

from llama_mcp.long_paths import openable
from llama_mcp.models.errors import HeaderUnreadableError
from llama_mcp.models.facts import ModelFacts
from llama_mcp.models.gguf.described import Described
from llama_mcp.models.gguf.header import Header, read_header
from llama_mcp.models.gguf.pieces import BrokenHeaderError
from llama_mcp.models.gguf.summary import facts_of
from llama_mcp.models.shards import shard_of

_MOST_SHARDS = 99_999  # as a name can count them


def read_facts(path: Path) -> ModelFacts:
    """Return what a header says; of a split model, that of its first file.

    Raises:
        HeaderUnreadableError: there is none that can be read, or it says what cannot be.
    """
    try:
        return _facts(path, Described(_header(path)))
    except BrokenHeaderError as error:
        raise HeaderUnreadableError(str(path), str(error)) from error
    except OSError as error:
        raise HeaderUnreadableError(str(path), _in_words(error)) from error


def other_shards(path: Path) -> Iterator[Path]:
    """Give the files of a split model that follow its first."""
    shard = shard_of(path)
    return islice(shard.parts(), 1, None) if shard else iter(())


def _header(path: Path) -> Header:
    name = openable(str(path))
    if not stat.S_ISREG(_mode(name)):
        raise BrokenHeaderError("it is not a regular file")
    # What was a file a moment ago may be a pipe now, whose opening would wait for its writer.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with FileIO(os.open(name, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise BrokenHeaderError("it is not a regular file")
        if not status.st_size:
            raise BrokenHeaderError("it is empty")
        return read_header(file, status.st_size)


def _mode(name: str) -> int:
    try:
        return os.stat(name).st_mode
    except ValueError as error:  # it has a NUL
        raise BrokenHeaderError("no file can have such a name") from error


def _in_words(error: OSError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "it does not exist"
    if isinstance(error, PermissionError):
        return "there is no permission to read it"
    return f"{error.strerror or error}"


def _facts(path: Path, described: Described) -> ModelFacts:
    facts = facts_of(described, path.name)
    shard = shard_of(path)
    count = shard.count if shard else described.number("split.count") or 1
    if count < 2:
        return facts
    parameters = _parameters(described, other_shards(path))
    return replace(facts, shards=min(count, _MOST_SHARDS), parameters=parameters)


def _parameters(described: Described, shards: Iterator[Path]) -> int:
    """How many weights all files of a split model have; 0 where one of them cannot be read."""
    headers = [described.header]
    try:
        headers += map(_header, shards)
    except (BrokenHeaderError, OSError):
        return 0
    whole = described.number("split.tensors.count")
    is_whole = whole in (None, sum(len(header.tensors) for header in headers))
    return sum(header.parameters for header in headers) if is_whole else 0
