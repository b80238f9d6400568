"""Vectors in a file: the table of what is there, then the numbers.

    LMVEC1 and two bytes, length, count, count x (key, checksum), count x length x 32-bit float

All numbers are little-endian. A file is written whole and never changed, so that several processes
can share a folder of them without a lock.
"""

import os
import secrets
import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import IO
from zlib import crc32

from llama_mcp.keeper import sharing
from llama_mcp.llama_server.rank_server import Vector

SUFFIX = ".vectors"
TEMPORARY = ".tmp"
KEY_BYTES = 32
_MAGIC = b"LMVEC1\n\0"
_HEAD = struct.Struct("<8sII")
_ENTRY = struct.Struct(f"<{KEY_BYTES}sI")
_FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Place:
    """Where a vector is."""

    path: str
    offset: int
    length: int
    checksum: int


def write_segment(folder: str, vectors: Mapping[bytes, Vector]) -> str:
    """Write vectors of one length into a file of its own, and return its path.

    Raises:
        OSError: it cannot be written; nothing is left of it.
    """
    packed = {key: _bytes_of(vector) for key, vector in vectors.items()}
    length = len(next(iter(packed.values()))) // _FLOAT_BYTES
    path = os.path.join(folder, secrets.token_hex(16) + SUFFIX)
    temporary = path + TEMPORARY
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        # Windows would take a line feed for the end of a line otherwise.
        flags |= getattr(os, "O_BINARY", 0)
        with open(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(_HEAD.pack(_MAGIC, length, len(packed)))
            file.writelines(_ENTRY.pack(key, crc32(raw)) for key, raw in packed.items())
            file.writelines(packed.values())
        sharing.replace(temporary, path)
    except BaseException:  # a full disk gets no fuller by what is left of it
        with suppress(OSError):
            os.unlink(temporary)
        raise
    return path


def table_of(path: str) -> dict[bytes, Place]:
    """Return what a file says that it holds; nothing of one that is damaged or gone."""
    try:
        with open(path, "rb") as file:
            return dict(_entries(path, file))
    except (OSError, struct.error):
        return {}


def read_vectors(places: Iterable[tuple[bytes, Place]]) -> Iterator[tuple[bytes, Vector]]:
    """Give the vectors at these places of one file, those left out that are damaged or gone."""
    ordered = sorted(places, key=lambda pair: pair[1].offset)
    if not ordered:
        return
    with suppress(OSError), open(ordered[0][1].path, "rb") as file:
        for key, place in ordered:
            file.seek(place.offset)
            raw = file.read(place.length * _FLOAT_BYTES)
            if len(raw) == place.length * _FLOAT_BYTES and crc32(raw) == place.checksum:
                yield key, _vector_of(raw)


def _entries(path: str, file: IO[bytes]) -> Iterator[tuple[bytes, Place]]:
    magic, length, count = _HEAD.unpack(file.read(_HEAD.size))
    first = _HEAD.size + count * _ENTRY.size
    size = first + count * length * _FLOAT_BYTES
    # Checked before anything is read by numbers that may be anything.
    if magic != _MAGIC or os.fstat(file.fileno()).st_size != size:
        return
    for index, (key, checksum) in enumerate(_ENTRY.iter_unpack(file.read(count * _ENTRY.size))):
        yield key, Place(path, first + index * length * _FLOAT_BYTES, length, checksum)


def _bytes_of(vector: Vector) -> bytes:
    return _turned(vector).tobytes()


def _vector_of(raw: bytes) -> Vector:
    return _turned(array("f", raw))


def _turned(vector: Vector) -> Vector:
    if sys.byteorder == "big":
        vector = vector[:]
        vector.byteswap()
    return vector
