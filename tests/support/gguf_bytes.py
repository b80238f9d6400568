"""GGUF headers byte by byte: also those that no library would write."""

import struct
from collections.abc import Iterable

TEXT, ARRAY = 8, 9
FORMS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_NUMBERS = {bool: 7, int: 4, float: 6}

Plain = bool | int | float | str
Value = Plain | list[Plain] | bytes


def text(value: str | bytes) -> bytes:
    """A text with its length before it."""
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


def typed(value: Value) -> bytes:
    """A value with its type before it; bytes are both already."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, list):
        kind = _kind(value[0]) if value else 4
        return struct.pack("<IIQ", ARRAY, kind, len(value)) + b"".join(map(_plain, value))
    return struct.pack("<I", _kind(value)) + _plain(value)


def array(kind: int, count: int, items: bytes = b"") -> bytes:
    """An array that says of itself what it likes."""
    return struct.pack("<IIQ", ARRAY, kind, count) + items


def tensor(name: str, *shape: int, dimensions: int | None = None) -> bytes:
    """A tensor of F32; its shape is as ggml says it."""
    count = len(shape) if dimensions is None else dimensions
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", count, *shape, 0, 0)


def header(
    keys: Iterable[tuple[str, Value]],
    tensors: Iterable[bytes] = (),
    *,
    magic: bytes = b"GGUF",
    version: int = 3,
    key_count: int | None = None,
    tensor_count: int | None = None,
) -> bytes:
    """A header; the counts are what they are, or what it says."""
    pairs = [text(key) + typed(value) for key, value in keys]
    table = list(tensors)
    counts = (
        len(table) if tensor_count is None else tensor_count,
        len(pairs) if key_count is None else key_count,
    )
    return magic + struct.pack("<IQQ", version, *counts) + b"".join(pairs) + b"".join(table)


def llama(*tensors: bytes, **keys: Value) -> bytes:
    """The header of a small llama model, with keys added or put in the place of its own.

    `__` stands for a dot; a name that begins with it belongs to llama.
    """
    named = {name.replace("__", "."): value for name, value in keys.items()}
    own: dict[str, Value] = {
        "general.architecture": "llama",
        "llama.block_count": 2,
        "llama.context_length": 4096,
        "llama.embedding_length": 64,
        "llama.feed_forward_length": 128,
        "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2,
    }
    own |= {f"llama{name}" if name.startswith(".") else name: it for name, it in named.items()}
    return header(own.items(), tensors)


def _kind(value: Plain) -> int:
    return TEXT if isinstance(value, str) else _NUMBERS[type(value)]


def _plain(value: Plain) -> bytes:
    if isinstance(value, str):
        return text(value)
    return struct.pack("<" + FORMS[_kind(value)], value)
