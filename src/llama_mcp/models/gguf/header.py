"""The header of a GGUF file: its keys with their values, and its tensors.

Magic, version, number of tensors, number of keys; each key with a type and a value; then the name,
the shape, the type and the place of each tensor (ggml/src/gguf.cpp). What is long stays unread: of
a vocabulary, only how long it is.
"""

import struct
from dataclasses import dataclass
from io import RawIOBase
from math import prod

from llama_mcp.models.gguf.pieces import BrokenHeaderError, Pieces, shown

Scalar = int | float | bool | str
MAGIC = b"GGUF"
MOST_BYTES = 256 << 20
_VERSIONS = range(2, 4)
_MOST_KEYS = 1 << 16
_MOST_TENSORS = 1 << 17
# GGML_TYPE_COUNT is 43, and newer files may have more.
_MOST_TENSOR_TYPES = 256
_MOST_DIMENSIONS = 4  # GGML_MAX_DIMS
_MOST_NAME_BYTES = 1 << 16
# All that is kept of a header. Of real ones, that is less than a hundredth.
_MOST_KEPT_BYTES = 16 << 20
_SHORT_ARRAY = 1024
_SHORT_TEXTS = 64
# Only vocabularies and merges have as many texts, and a key of the tokenizer follows them.
_WORTH_A_LEAP = 4096
_TEXT, _ARRAY = 8, 9
_NUMBERS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}


@dataclass(frozen=True, slots=True)
class LongArray:
    """An array of which only the length was read."""

    length: int


Value = Scalar | list[Scalar] | LongArray


@dataclass(frozen=True, slots=True)
class Header:
    """What a header says.

    Attributes:
        keys: every key with its value.
        tensors: the shape of each tensor by its name, as ggml says it: the longest run first.
        size_bytes: where the weights begin.
    """

    keys: dict[str, Value]
    tensors: dict[str, tuple[int, ...]]
    size_bytes: int

    @property
    def parameters(self) -> int:
        """How many weights the tensors have."""
        return sum(map(prod, self.tensors.values()))


def named(value: Value) -> str:
    """Return what a value is, in words that are never long."""
    if isinstance(value, str):
        return "a text"
    return "an array" if isinstance(value, list | LongArray) else f"{value}"


def read_header(file: RawIOBase, size_bytes: int) -> Header:
    """Read the header of an open file.

    To pass half a million texts by, one after the other, takes nine tenths of the time. So it is
    read with leaps over them at first. A leap that went wrong shows in what follows: by a key or a
    tensor that cannot be, or one too many or too few. Then all is read again, step by step. A file
    that was made for it can have two readings, and damage among the texts stays unseen, as that of
    the weights does: what a header advises, llama-server decides.

    Raises:
        BrokenHeaderError: it is none, or says what cannot be.
        OSError: the file cannot be read.
    """
    try:
        return _Reading(Pieces(file, size_bytes, MOST_BYTES), may_leap=True).header()
    except BrokenHeaderError:
        file.seek(0)
        return _Reading(Pieces(file, size_bytes, MOST_BYTES), may_leap=False).header()


class _Reading:
    def __init__(self, pieces: Pieces, *, may_leap: bool) -> None:
        self._pieces = pieces
        self._may_leap = may_leap
        self._kept_bytes = 0

    def header(self) -> Header:
        self._check_beginning()
        tensor_count, key_count = self._pieces.u64(), self._pieces.u64()
        _check_count(tensor_count, _MOST_TENSORS, "tensors")
        _check_count(key_count, _MOST_KEYS, "keys")
        self._may_leap = self._may_leap and tensor_count > 0
        keys = self._keys(key_count)
        alignment = _alignment(keys)
        tensors = self._tensors(tensor_count, alignment)
        return Header(keys, tensors, -(-self._pieces.position // alignment) * alignment)

    def _keys(self, count: int) -> dict[str, Value]:
        keys: dict[str, Value] = {}
        for _ in range(count):
            key = self._name()
            if key in keys:
                raise BrokenHeaderError(f"it has the key {shown(key)} twice")
            keys[key] = self._value(key)
        return keys

    def _tensors(self, count: int, alignment: int) -> dict[str, tuple[int, ...]]:
        tensors: dict[str, tuple[int, ...]] = {}
        least_place = 0
        for _ in range(count):
            name = self._name()
            if name in tensors:
                raise BrokenHeaderError(f"it has the tensor {shown(name)} twice")
            tensors[name], place = self._tensor(name)
            # The first is at the beginning, and each behind the one before.
            if place % alignment or place < least_place or (place > 0 and len(tensors) == 1):
                raise _impossible(name, f"the place {place}")
            least_place = place
        return tensors

    def _check_beginning(self) -> None:
        if self._pieces.take(4) != MAGIC:
            raise BrokenHeaderError("it is not a GGUF file")
        version = self._pieces.u32()
        if version.to_bytes(4, "little")[::-1] in [bytes([v, 0, 0, 0]) for v in (1, 2, 3)]:
            raise BrokenHeaderError("it is a big-endian GGUF")
        if version not in _VERSIONS:
            raise BrokenHeaderError(f"it says GGUF version {version}, and 2 and 3 are known")

    def _name(self) -> str:
        length = self._pieces.u64()
        if length > _MOST_NAME_BYTES:
            raise BrokenHeaderError(f"it says that a name in it has {length} bytes")
        name = self._text(length)
        if self._may_leap and not (name and name.isprintable()):
            # What lies between names reads so where a leap went one key too far.
            raise BrokenHeaderError(f"it has the name {shown(name)!r}")
        return name

    def _text(self, length: int) -> str:
        self._keep(length)
        return self._pieces.take(length).decode("utf-8", "replace")

    def _keep(self, count: int) -> None:
        self._kept_bytes += count
        if self._kept_bytes > _MOST_KEPT_BYTES:
            raise BrokenHeaderError(f"its texts have more than {_MOST_KEPT_BYTES >> 20} MiB")

    def _value(self, key: str) -> Value:
        kind = self._pieces.u32()
        if kind == _TEXT:
            return self._text(self._pieces.u64())
        if kind == _ARRAY:
            return self._array(key)
        return self._numbers(kind, 1, key)[0]

    def _array(self, key: str) -> Value:
        kind, count = self._pieces.u32(), self._pieces.u64()
        if kind == _TEXT:
            if count <= _SHORT_TEXTS:
                return [self._text(self._pieces.u64()) for _ in range(count)]
            self._pass_by(count)
        elif count <= _SHORT_ARRAY:
            return self._numbers(kind, count, key)
        else:
            self._pieces.skip(count * struct.calcsize(_format(kind, key)))
        return LongArray(count)

    def _pass_by(self, texts: int) -> None:
        if self._may_leap and texts >= _WORTH_A_LEAP:
            self._pieces.leap_texts(texts)
        else:
            self._pieces.skip_texts(texts)

    def _numbers(self, kind: int, count: int, key: str) -> list[Scalar]:
        form = f"<{count}{_format(kind, key)}"
        size_bytes = struct.calcsize(form)
        self._keep(max(size_bytes, 8 * count))
        return list(struct.unpack(form, self._pieces.take(size_bytes)))

    def _tensor(self, name: str) -> tuple[tuple[int, ...], int]:
        """Return the shape and the place among the weights."""
        dimensions = self._pieces.u32()
        if dimensions > _MOST_DIMENSIONS:
            raise _impossible(name, f"{dimensions} dimensions")
        rest = self._pieces.take(8 * dimensions + 12)
        *shape, kind, place = struct.unpack(f"<{dimensions}QIQ", rest)
        if kind >= _MOST_TENSOR_TYPES:
            raise _impossible(name, f"the type {kind}")
        if prod(shape) >= 1 << 63:
            raise _impossible(name, f"{prod(shape)} weights")
        return tuple(shape), place


def _alignment(keys: dict[str, Value]) -> int:
    alignment = keys.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1):
        raise BrokenHeaderError(f"it says that its alignment is {named(alignment)}")
    return alignment


def _impossible(tensor: str, what: str) -> BrokenHeaderError:
    return BrokenHeaderError(f"it says that the tensor {shown(tensor)} has {what}")


def _check_count(count: int, most: int, what: str) -> None:
    if count > most:
        raise BrokenHeaderError(f"it says that it has {count} {what}")


def _format(kind: int, key: str) -> str:
    if kind == _ARRAY:
        raise BrokenHeaderError(f"its key {shown(key)} is an array of arrays")
    if kind not in _NUMBERS:
        raise BrokenHeaderError(f"its key {shown(key)} has the type {kind}, which does not exist")
    return _NUMBERS[kind]
