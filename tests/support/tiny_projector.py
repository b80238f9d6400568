"""A projector (mmproj) small enough for tests: random weights, 0.2 MB, of LLaVA's kind.

With a model of tiny_model.py it lets llama-server take pictures; what it sees in them is noise.
"""

from pathlib import Path

import gguf
import numpy as np

from tests.support.tiny_model import WIDTH, written

DEPTH = 32
FEED_FORWARD = 64
LAYERS = 2
PICTURE, PATCH = 28, 14


def write_tiny_projector(path: Path, *, model_width: int = WIDTH) -> Path:
    """Write a projector for models of that width; the same arguments make the same file."""
    writer = gguf.GGUFWriter(str(path), "clip")
    _describe(writer, model_width)
    _add_weights(writer, model_width)
    return written(writer, path)


def _describe(writer: gguf.GGUFWriter, model_width: int) -> None:
    writer.add_type("mmproj")
    writer.add_name("tiny-random-mmproj")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_bool("clip.use_gelu", True)
    writer.add_string("clip.projector_type", "mlp")
    numbers = {
        "image_size": PICTURE,
        "patch_size": PATCH,
        "embedding_length": DEPTH,
        "feed_forward_length": FEED_FORWARD,
        "projection_dim": model_width,
        "block_count": LAYERS,
        "attention.head_count": 4,
    }
    for name, number in numbers.items():
        writer.add_uint32(f"clip.vision.{name}", number)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    for name in ("image_mean", "image_std"):
        writer.add_array(f"clip.vision.{name}", [0.5, 0.5, 0.5])


def _add_weights(writer: gguf.GGUFWriter, model_width: int) -> None:
    random = np.random.default_rng(0)

    def add(name: str, *shape: int) -> None:
        writer.add_tensor(name, (random.standard_normal(shape) * 0.1).astype(np.float32))

    def add_norm(name: str) -> None:
        writer.add_tensor(f"{name}.weight", np.ones(DEPTH, np.float32))
        writer.add_tensor(f"{name}.bias", np.zeros(DEPTH, np.float32))

    add("v.patch_embd.weight", DEPTH, 3, PATCH, PATCH)
    add("v.class_embd", DEPTH)
    add("v.position_embd.weight", (PICTURE // PATCH) ** 2 + 1, DEPTH)
    add_norm("v.pre_ln")
    for layer in range(LAYERS):
        block = f"v.blk.{layer}"
        for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
            add(f"{block}.{part}.weight", DEPTH, DEPTH)
            add(f"{block}.{part}.bias", DEPTH)
        add_norm(f"{block}.ln1")
        add_norm(f"{block}.ln2")
        add(f"{block}.ffn_up.weight", FEED_FORWARD, DEPTH)
        add(f"{block}.ffn_up.bias", FEED_FORWARD)
        add(f"{block}.ffn_down.weight", DEPTH, FEED_FORWARD)
        add(f"{block}.ffn_down.bias", DEPTH)
    add("mm.0.weight", model_width, DEPTH)
    add("mm.0.bias", model_width)
    add("mm.2.weight", model_width, model_width)
    add("mm.2.bias", model_width)
