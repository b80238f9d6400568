"""A model small enough for tests: random weights, a third of a megabyte, 40 ms to load.

What it says is noise: printable ASCII, one character a token. It is llama.cpp that is real.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt

Weights = npt.NDArray[np.float32]

WIDTH = 64
BIAS = 0  # the dimension that is the same for every token
HEADS = 4
FEED_FORWARD = 128
UNKNOWN, BEGIN, END = 0, 1, 2
CONTROL_TOKENS = ["<unk>", "<s>", "</s>"]
BYTES = [f"<0x{value:02X}>" for value in range(256)]
CHARACTERS = [chr(code) for code in range(32, 127)]
VOCABULARY = CONTROL_TOKENS + BYTES + CHARACTERS

PLAIN_TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
SWALLOWING_TEMPLATE = "<user>hello</user><assistant>"  # the user's words never reach the model


def write_tiny_model(
    path: Path,
    *,
    more_tensors: tuple[str, ...] = (),
    name: str = "tiny-random",
    context_length: int = 4096,
    seed: int = 0,
    chat_template: str | None = PLAIN_TEMPLATE,
    ends: bool = False,
    sampling: Mapping[str, float] | None = None,
) -> Path:
    """Write a tiny random llama model; the same arguments make the same file.

    Args:
        path: The GGUF file to write.
        more_tensors: Names of tensors that a llama model does not have.
        name: The model's name in its metadata.
        context_length: The context it says it was trained with.
        seed: Where the random weights start.
        chat_template: Its template, or None for a model without one.
        ends: Whether a reply may end by itself. By default it never does, whatever the prompt and
            the temperature: a reply runs to max_tokens or to the end of the context.
        sampling: Its author's defaults, such as `temp`.
    """
    writer = gguf.GGUFWriter(str(path), "llama")
    _describe(writer, name, context_length, chat_template)
    for parameter, value in (sampling or {}).items():
        writer.add_float32(f"general.sampling.{parameter}", value)
    add_vocabulary(writer)
    _add_weights(writer, np.random.default_rng(seed), ends=ends)
    for foreign in more_tensors:
        writer.add_tensor(foreign, np.ones((4, 4), np.float32))
    return written(writer, path)


def written(writer: gguf.GGUFWriter, path: Path) -> Path:
    """Write it all to the writer's path, and return that."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _describe(
    writer: gguf.GGUFWriter, name: str, context_length: int, chat_template: str | None
) -> None:
    writer.add_name(name)
    writer.add_context_length(context_length)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    if chat_template is not None:
        writer.add_chat_template(chat_template)


def add_vocabulary(writer: gguf.GGUFWriter) -> None:
    """Write the tokens of all tiny models."""
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    kinds += [gguf.TokenType.BYTE] * len(BYTES) + [gguf.TokenType.NORMAL] * len(CHARACTERS)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(VOCABULARY)
    writer.add_token_scores([0.0] * len(VOCABULARY))
    writer.add_token_types(kinds)
    writer.add_unk_token_id(UNKNOWN)
    writer.add_bos_token_id(BEGIN)
    writer.add_eos_token_id(END)
    writer.add_vocab_size(len(VOCABULARY))


def _add_weights(writer: gguf.GGUFWriter, random: np.random.Generator, *, ends: bool) -> None:
    def noise(*shape: int, scale: float = 0.02) -> Weights:
        return (random.standard_normal(shape) * scale).astype(np.float32)

    embedding, output = _vocabulary_weights(noise, ends=ends)
    writer.add_tensor("token_embd.weight", embedding)
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    writer.add_tensor("output.weight", output)
    for part in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.0.{part}.weight", np.ones(WIDTH, np.float32))
    for part in ("attn_q", "attn_k", "attn_v"):
        writer.add_tensor(f"blk.0.{part}.weight", noise(WIDTH, WIDTH))
    writer.add_tensor("blk.0.attn_output.weight", _without_effect_on_bias(noise(WIDTH, WIDTH)))
    writer.add_tensor("blk.0.ffn_gate.weight", noise(FEED_FORWARD, WIDTH))
    writer.add_tensor("blk.0.ffn_up.weight", noise(FEED_FORWARD, WIDTH))
    writer.add_tensor("blk.0.ffn_down.weight", _without_effect_on_bias(noise(WIDTH, FEED_FORWARD)))


def _vocabulary_weights(noise: Callable[..., Weights], *, ends: bool) -> tuple[Weights, Weights]:
    """Embedding and output, so made that some tokens are never said.

    A llama model has no bias to forbid a token with. So one dimension of every embedding is the
    same positive number, nothing in the model changes it, and a forbidden token is its opposite.
    """
    embedding = noise(len(VOCABULARY), WIDTH)
    embedding[:, BIAS] = 0.05
    output = noise(len(VOCABULARY), WIDTH, scale=0.5)
    output[:, BIAS] = 0.0
    never_said = [*range(len(VOCABULARY) - len(CHARACTERS))]
    if ends:
        never_said.remove(END)
    output[never_said] = 0.0
    output[never_said, BIAS] = -100.0
    return embedding, output


def _without_effect_on_bias(weights: Weights) -> Weights:
    weights[BIAS] = 0.0
    return weights
