"""A tiny random Gemma 3: five of its six layers look back no farther than a window (iSWA).

llama.cpp keeps no more than the window of those layers, and so cannot go on from an earlier place.
"""

from pathlib import Path

import gguf
import numpy as np

from tests.support.tiny_model import FEED_FORWARD, HEADS, VOCABULARY, WIDTH, add_vocabulary, written
from tests.support.tiny_model import PLAIN_TEMPLATE as TEMPLATE

LAYERS = 6
WINDOW = 256
_HEAD = WIDTH // HEADS


def write_tiny_window_model(path: Path) -> Path:
    """Write it; the same file every time."""
    writer = gguf.GGUFWriter(str(path), "gemma3")
    writer.add_name("tiny-window")
    writer.add_context_length(8192)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_key_length(_HEAD)
    writer.add_value_length(_HEAD)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10000.0)
    writer.add_sliding_window(WINDOW)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_chat_template(TEMPLATE)
    add_vocabulary(writer)
    _add_weights(writer, np.random.default_rng(0))
    return written(writer, path)


def _add_weights(writer: gguf.GGUFWriter, random: np.random.Generator) -> None:
    def add(name: str, *shape: int) -> None:
        writer.add_tensor(name, (random.standard_normal(shape) * 0.02).astype(np.float32))

    def add_norms(width: int, *names: str) -> None:
        for name in names:
            writer.add_tensor(name, np.ones(width, np.float32))

    add("token_embd.weight", len(VOCABULARY), WIDTH)
    add_norms(WIDTH, "output_norm.weight")
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        norms = ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
        add_norms(WIDTH, *(f"{block}.{name}.weight" for name in norms))
        add_norms(_HEAD, f"{block}.attn_q_norm.weight", f"{block}.attn_k_norm.weight")
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"{block}.{name}.weight", WIDTH, WIDTH)
        add(f"{block}.ffn_gate.weight", FEED_FORWARD, WIDTH)
        add(f"{block}.ffn_up.weight", FEED_FORWARD, WIDTH)
        add(f"{block}.ffn_down.weight", WIDTH, FEED_FORWARD)
