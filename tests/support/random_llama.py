"""A llama model of any size with random weights, which converses as the tiny one does.

Gigabytes are written in seconds: all weights are cut from one piece of noise. What a reply says is
noise too, but it rests on every word before it, as with a real model.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt

from tests.support.tiny_model import (
    BEGIN,
    BIAS,
    BYTES,
    CHARACTERS,
    CONTROL_TOKENS,
    END,
    PLAIN_TEMPLATE,
    UNKNOWN,
    VOCABULARY,
)

Kind = gguf.GGMLQuantizationType
Numbers = npt.NDArray[np.float32]
Blocks = npt.NDArray[np.uint8]
# Of Q4_0: a scale in f16 and 32 numbers of four bits, 8 for zero.
_BLOCK_NUMBERS, _BLOCK_BYTES = 32, 18
_NOISE_BLOCKS = 1 << 20
# So that the numbers deviate by 0.02, as a real model's do.
_SCALE = 0.0043
# What a layer adds stays small beside what it was given, or the first words would not matter.
_SCALE_OF_WHAT_IS_ADDED = _SCALE / 100
_ADDING = ("attn_output", "ffn_down")


@dataclass(frozen=True, slots=True)
class Shape:
    """How large the model is."""

    layers: int
    width: int
    feed_forward: int
    heads: int
    kv_heads: int
    context_length: int = 131072

    @property
    def head(self) -> int:
        """Numbers of one head."""
        return self.width // self.heads


LLAMA_8B = Shape(layers=32, width=4096, feed_forward=14336, heads=32, kv_heads=8)
LLAMA_1B = Shape(layers=16, width=2048, feed_forward=8192, heads=32, kv_heads=8)


def write_random_llama(path: Path, shape: Shape, *, seed: int = 0) -> Path:
    """Write a model in Q4_0; the same arguments make the same file."""
    writer = gguf.GGUFWriter(str(path), "llama")
    _describe(writer, shape)
    random = np.random.default_rng(seed)
    plain = dict(_plain_tensors(shape, random))
    for name, numbers in plain.items():
        writer.add_tensor_info(name, numbers.shape, numbers.dtype, numbers.nbytes)
    for name, rows, columns in _matrices(shape):
        runs = (rows, columns // _BLOCK_NUMBERS * _BLOCK_BYTES)
        writer.add_tensor_info(name, runs, np.dtype(np.uint8), runs[0] * runs[1], Kind.Q4_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for numbers in plain.values():
        writer.write_tensor_data(numbers)
    noise = {scale: _noise(random, scale) for scale in (_SCALE, _SCALE_OF_WHAT_IS_ADDED)}
    for name, rows, columns in _matrices(shape):
        is_adding = any(part in name for part in _ADDING)
        piece = noise[_SCALE_OF_WHAT_IS_ADDED if is_adding else _SCALE]
        start = int(random.integers(_NOISE_BLOCKS // 2))
        blocks = np.resize(piece[start:], (rows, columns // _BLOCK_NUMBERS, _BLOCK_BYTES))
        if is_adding:  # see tiny_model.py: this dimension forbids tokens
            blocks[BIAS, :, 2:] = 0x88
        writer.write_tensor_data(blocks)
    writer.close()
    return path


def _noise(random: np.random.Generator, scale: float) -> Blocks:
    # From 1 to 15 each, around 8: a mean other than zero would grow to be all that a layer says.
    low, high = random.integers(1, 16, (2, _NOISE_BLOCKS, _BLOCK_BYTES), dtype=np.uint8)
    blocks: Blocks = low + (high << 4)
    blocks[:, :2] = np.frombuffer(np.float16(scale).tobytes(), np.uint8)
    return blocks


def _matrices(shape: Shape) -> Iterator[tuple[str, int, int]]:
    """Give name, rows and columns of each."""
    width, forward, keys = shape.width, shape.feed_forward, shape.kv_heads * shape.head
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        yield f"{block}attn_q.weight", width, width
        yield f"{block}attn_k.weight", keys, width
        yield f"{block}attn_v.weight", keys, width
        yield f"{block}attn_output.weight", width, width
        yield f"{block}ffn_gate.weight", forward, width
        yield f"{block}ffn_up.weight", forward, width
        yield f"{block}ffn_down.weight", width, forward


def _plain_tensors(shape: Shape, random: np.random.Generator) -> Iterator[tuple[str, Numbers]]:
    embedding = (random.standard_normal((len(VOCABULARY), shape.width)) * 0.02).astype(np.float32)
    embedding[:, BIAS] = 0.1
    output = (random.standard_normal((len(VOCABULARY), shape.width)) * 0.5).astype(np.float32)
    output[:, BIAS] = 0.0
    never_said = range(len(VOCABULARY) - len(CHARACTERS))
    output[never_said] = 0.0
    output[never_said, BIAS] = -100.0
    ones = np.ones(shape.width, np.float32)
    yield "token_embd.weight", embedding
    yield "output_norm.weight", ones
    yield "output.weight", output
    for layer in range(shape.layers):
        yield f"blk.{layer}.attn_norm.weight", ones
        yield f"blk.{layer}.ffn_norm.weight", ones


def _describe(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_name(f"random-llama-{shape.layers}x{shape.width}")
    writer.add_context_length(shape.context_length)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(shape.head)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)
    writer.add_chat_template(PLAIN_TEMPLATE)
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    kinds += [gguf.TokenType.BYTE] * len(BYTES) + [gguf.TokenType.NORMAL] * len(CHARACTERS)
    assert len(kinds) == len(CONTROL_TOKENS) + len(BYTES) + len(CHARACTERS)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(VOCABULARY)
    writer.add_token_scores([0.0] * len(VOCABULARY))
    writer.add_token_types(kinds)
    writer.add_unk_token_id(UNKNOWN)
    writer.add_bos_token_id(BEGIN)
    writer.add_eos_token_id(END)
    writer.add_vocab_size(len(VOCABULARY))
