"""A tiny random Mamba: it keeps a state and no keys, and so cannot go back to an earlier place."""

from pathlib import Path

import gguf
import numpy as np

from tests.support.tiny_model import (
    PLAIN_TEMPLATE,
    VOCABULARY,
    WIDTH,
    Weights,
    add_vocabulary,
    written,
)

INNER = 2 * WIDTH
STATE = 16
RANK = 4
CONVOLUTION = 4


def write_tiny_recurrent_model(path: Path) -> Path:
    """Write it; the same file every time."""
    writer = gguf.GGUFWriter(str(path), "mamba")
    writer.add_name("tiny-recurrent")
    writer.add_context_length(8192)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_block_count(1)
    writer.add_ssm_conv_kernel(CONVOLUTION)
    writer.add_ssm_inner_size(INNER)
    writer.add_ssm_state_size(STATE)
    writer.add_ssm_time_step_rank(RANK)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_chat_template(PLAIN_TEMPLATE)
    add_vocabulary(writer)
    _add_weights(writer, np.random.default_rng(0))
    return written(writer, path)


def _add_weights(writer: gguf.GGUFWriter, random: np.random.Generator) -> None:
    def noise(*shape: int) -> Weights:
        return (random.standard_normal(shape) * 0.02).astype(np.float32)

    writer.add_tensor("token_embd.weight", noise(len(VOCABULARY), WIDTH))
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    writer.add_tensor("blk.0.attn_norm.weight", np.ones(WIDTH, np.float32))
    writer.add_tensor("blk.0.ssm_in.weight", noise(2 * INNER, WIDTH))
    writer.add_tensor("blk.0.ssm_conv1d.weight", noise(INNER, CONVOLUTION))
    writer.add_tensor("blk.0.ssm_conv1d.bias", np.zeros(INNER, np.float32))
    writer.add_tensor("blk.0.ssm_x.weight", noise(RANK + 2 * STATE, INNER))
    writer.add_tensor("blk.0.ssm_dt.weight", noise(INNER, RANK))
    writer.add_tensor("blk.0.ssm_dt.bias", np.zeros(INNER, np.float32))
    writer.add_tensor("blk.0.ssm_a", -np.ones((INNER, STATE), np.float32))
    writer.add_tensor("blk.0.ssm_d", np.ones(INNER, np.float32))
    writer.add_tensor("blk.0.ssm_out.weight", noise(WIDTH, INNER))
