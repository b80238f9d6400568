"""A GGUF file whose weights are a hole: gigabytes that take megabytes of disk.

Headers, lists and what llama-server says of its memory are as with a real one. Never start a server
on one for more than that: it would read the hole.
"""

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import gguf
import numpy as np

Weights = gguf.GGMLQuantizationType
ALIGNMENT = 32
Value = bool | int | float | str | list[bool] | list[int] | list[float] | list[str]
_ADDING = {
    bool: "add_bool",
    int: "add_uint32",
    float: "add_float32",
    str: "add_string",
    list: "add_array",
}


class SparseGguf:
    """A GGUF file under way: keys and tensors in, a file out.

    Args:
        path: the file to write.
        architecture: llama.cpp's name of it, which a key with a dot in front belongs to.
    """

    def __init__(self, path: Path, architecture: str) -> None:
        self.path = path
        self._architecture = architecture
        self._writer = gguf.GGUFWriter(str(path), architecture)
        self._weights_bytes = 0

    def keys(self, **keys: Value) -> None:
        """Add keys, `__` for a dot; one that begins with it belongs to the architecture."""
        self.named({name.replace("__", "."): value for name, value in keys.items()})

    def named(self, keys: dict[str, Value]) -> None:
        """Add keys by their names; one that begins with a dot belongs to the architecture."""
        for name, value in keys.items():
            whole = f"{self._architecture}{name}" if name.startswith(".") else name
            adding: Callable[[str, Any], None] = getattr(self._writer, _ADDING[type(value)])
            adding(whole, value)

    def tensor(self, name: str, *shape: int, kind: Weights = Weights.Q4_K) -> None:
        """Add a tensor; its shape is as ggml says it, the longest run first."""
        block, size = gguf.GGML_QUANT_SIZES[kind]
        is_plain = kind == Weights.F32
        run = [shape[0]] if is_plain else [shape[0] // block * size]
        number = np.dtype(np.float32 if is_plain else np.uint8)
        size_bytes = prod(shape) // block * size
        self._writer.add_tensor_info(name, [*reversed(shape[1:]), *run], number, size_bytes, kind)
        self._weights_bytes += -(-size_bytes // ALIGNMENT) * ALIGNMENT

    def norms(self, *names: str, width: int) -> None:
        """Add tensors of one row of F32."""
        for name in names:
            self.tensor(name, width, kind=Weights.F32)

    def vocabulary(self, size: int, merges: int = 1) -> None:
        """Add a tokenizer of so many tokens, and as many merges as a real one, or one."""
        self.keys(tokenizer__ggml__model="gpt2", tokenizer__ggml__pre="llama-bpe")
        tokens = [f"tok{number:07d}{'y' * (number % 9)}" for number in range(size)]
        self.named({"tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": [1] * size})
        pairs = [f"a{number} b{number}" for number in range(merges)]
        self.keys(tokenizer__ggml__merges=pairs)
        self.keys(tokenizer__ggml__bos_token_id=1, tokenizer__ggml__eos_token_id=2)

    def close(self) -> Path:
        """Write it all; the weights are a hole."""
        self._writer.write_header_to_file()
        self._writer.write_kv_data_to_file()
        self._writer.write_ti_data_to_file()
        assert self._writer.fout
        file = self._writer.fout[0]
        file.flush()
        file.truncate(-(-file.tell() // ALIGNMENT) * ALIGNMENT + self._weights_bytes)
        self._writer.close()
        return self.path
