"""GGUF files of a few hundred bytes: a header as real ones have it, and weights that are a hole."""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

Value = bool | int | float | str | Sequence[int]
_U32, _I32, _F32, _BOOL, _TEXT, _ARRAY = 4, 5, 6, 7, 8, 9
MIB = 2**20
# What a model has that converses, and is as wide as its projector says.
WIDTH = 64
CHAT: dict[str, Value] = {
    "llama.embedding_length": WIDTH,
    "llama.context_length": 4096,
    "llama.block_count": 2,
    "tokenizer.chat_template": "{{ messages }}",
}


def write_gguf(
    path: Path,
    architecture: str = "llama",
    keys: Mapping[str, Value] = CHAT,
    *,
    tensors: Sequence[str] = ("token_embd.weight",),
    size_bytes: int = MIB,
) -> Path:
    """Write a file, and the folders that it lies in.

    Args:
        path: The file.
        architecture: llama.cpp's name of it; empty for a file that has none.
        keys: What its header says besides.
        tensors: Their names; each is one number.
        size_bytes: How much the file has, its hole included.
    """
    named = {"general.architecture": architecture} if architecture else {}
    pairs = b"".join(_text(key) + _value(value) for key, value in (named | dict(keys)).items())
    table = b"".join(
        _text(name) + struct.pack("<IQIQ", 1, 1, 0, 32 * n) for n, name in enumerate(tensors)
    )
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(named | dict(keys)))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(head + pairs + table)
        file.truncate(max(size_bytes, file.tell()))
    return path


def write_projector(path: Path, *, width: int = WIDTH, **keys: Value) -> Path:
    """Write a projector of pictures for a model of that width."""
    projector: dict[str, Value] = {
        "general.type": "mmproj",
        "clip.has_vision_encoder": True,
        "clip.projector_type": "mlp",
        "clip.vision.projection_dim": width,
    }
    named = {key.replace("__", "."): value for key, value in keys.items()}
    return write_gguf(path, "clip", projector | named, tensors=("v.patch_embd.weight",))


def write_shards(folder: Path, stem: str, count: int, leave_out: Sequence[int] = ()) -> Path:
    """Write a split model, and return its first file; some files may be left out."""
    for number in range(1, count + 1):
        if number not in leave_out:
            split: dict[str, Value] = {"split.no": number - 1, "split.count": count}
            keys = CHAT | split if number == 1 else split
            name = f"{stem}-{number:05}-of-{count:05}.gguf"
            write_gguf(folder / name, "llama" if number == 1 else "", keys, tensors=())
    return folder / f"{stem}-00001-of-{count:05}.gguf"


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _value(value: Value) -> bytes:
    if isinstance(value, bool):
        return struct.pack("<I?", _BOOL, value)
    if isinstance(value, int):
        return struct.pack("<II", _U32, value)
    if isinstance(value, float):
        return struct.pack("<If", _F32, value)
    if isinstance(value, str):
        return struct.pack("<I", _TEXT) + _text(value)
    return struct.pack(f"<IIQ{len(value)}i", _ARRAY, _I32, len(value), *value)
