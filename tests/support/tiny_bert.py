"""An embedding model, or a reranker, small enough for tests: BERT with random weights, 0.4 MB.

Its vectors and scores mean nothing; how llama-server has to be started for it is real.
"""

from pathlib import Path

import gguf
import numpy as np

from tests.support.tiny_model import written

WIDTH = 64
FEED_FORWARD = 128
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
# Wordpiece as llama.cpp wants it: what begins a word is marked.
VOCABULARY = [*SPECIAL, *(f"\u2581{letter}" for letter in LETTERS), *LETTERS]


def write_tiny_bert(path: Path, *, context_length: int = 2048, ranks: bool = False) -> Path:
    """Write the model; the same arguments make the same file.

    Args:
        path: The GGUF file to write.
        context_length: Tokens that it says it was trained for.
        ranks: Whether it is a reranker, and not an embedding model.
    """
    writer = gguf.GGUFWriter(str(path), "bert")
    _describe(writer, context_length, ranks=ranks)
    _add_vocabulary(writer)
    _add_weights(writer, context_length, ranks=ranks)
    return written(writer, path)


def _describe(writer: gguf.GGUFWriter, context_length: int, *, ranks: bool) -> None:
    writer.add_name("tiny-bert")
    writer.add_type("model")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_block_count(1)
    writer.add_context_length(context_length)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(4)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.RANK if ranks else gguf.PoolingType.MEAN)
    if ranks:
        writer.add_classifier_output_labels(["LABEL_0"])


def _add_vocabulary(writer: gguf.GGUFWriter) -> None:
    kinds = [gguf.TokenType.CONTROL] * len(SPECIAL)
    kinds[SPECIAL.index("[UNK]")] = gguf.TokenType.UNKNOWN
    kinds += [gguf.TokenType.NORMAL] * (len(VOCABULARY) - len(SPECIAL))
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(VOCABULARY)
    writer.add_token_types(kinds)
    writer.add_token_type_count(2)
    writer.add_pad_token_id(SPECIAL.index("[PAD]"))
    writer.add_unk_token_id(SPECIAL.index("[UNK]"))
    writer.add_bos_token_id(SPECIAL.index("[CLS]"))
    writer.add_sep_token_id(SPECIAL.index("[SEP]"))
    writer.add_eos_token_id(SPECIAL.index("[SEP]"))
    writer.add_mask_token_id(SPECIAL.index("[MASK]"))


def _add_weights(writer: gguf.GGUFWriter, context_length: int, *, ranks: bool) -> None:
    random = np.random.default_rng(0)

    def add(name: str, *shape: int) -> None:
        writer.add_tensor(name, (random.standard_normal(shape) * 0.1).astype(np.float32))

    def add_norm(name: str) -> None:
        writer.add_tensor(f"{name}.weight", np.ones(WIDTH, np.float32))
        writer.add_tensor(f"{name}.bias", np.zeros(WIDTH, np.float32))

    add("token_embd.weight", len(VOCABULARY), WIDTH)
    add("position_embd.weight", context_length, WIDTH)
    add("token_types.weight", 2, WIDTH)
    add_norm("token_embd_norm")
    for part, rows, columns in (
        *((f"attn_{name}", WIDTH, WIDTH) for name in ("q", "k", "v", "output")),
        ("ffn_up", FEED_FORWARD, WIDTH),
        ("ffn_down", WIDTH, FEED_FORWARD),
    ):
        add(f"blk.0.{part}.weight", rows, columns)
        add(f"blk.0.{part}.bias", rows)
    add_norm("blk.0.attn_output_norm")
    add_norm("blk.0.layer_output_norm")
    if ranks:
        add("cls.weight", WIDTH, WIDTH)
        add("cls.bias", WIDTH)
        add("cls.output.weight", 1, WIDTH)
        add("cls.output.bias", 1)
