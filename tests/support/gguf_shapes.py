"""Sparse GGUF files with the true shapes of models, and of what is no model.

llama-server tells of the four large ones what it would need, as of the real ones.
"""

from pathlib import Path

from tests.support.sparse_gguf import SparseGguf, Value, Weights


def write_llama_8b(path: Path, *, vocabulary: int = 128256, merges: int = 1, **keys: Value) -> Path:
    """Llama 3.1 8B: grouped queries (GQA). Further keys are added, as `SparseGguf.keys` does."""
    layers, width, forward, heads, kv_heads, head = 32, 4096, 14336, 32, 8, 128
    file = SparseGguf(path, "llama")
    _describe(file, "Llama 3.1 8B Instruct", layers, width, forward, context=131072)
    _describe_attention(file, heads, kv_heads)
    file.keys(__rope__dimension_count=head, __vocab_size=vocabulary, **keys)
    file.vocabulary(vocabulary, merges)
    file.tensor("token_embd.weight", width, vocabulary)
    file.norms("output_norm.weight", width=width)
    file.tensor("output.weight", width, vocabulary, kind=Weights.Q6_K)
    for layer in range(layers):
        block = f"blk.{layer}."
        file.norms(f"{block}attn_norm.weight", f"{block}ffn_norm.weight", width=width)
        _add_attention(file, block, width, heads * head, kv_heads * head)
        _add_feed_forward(file, block, width, forward)
    return file.close()


def write_gemma_27b(path: Path, *, vocabulary: int = 262208, merges: int = 1) -> Path:
    """Gemma 3 27B: of six layers, five look back no farther than a window (iSWA)."""
    layers, width, forward, heads, kv_heads, head = 62, 5376, 21504, 32, 16, 128
    file = SparseGguf(path, "gemma3")
    _describe(file, "Gemma 3 27b It", layers, width, forward, context=131072)
    _describe_attention(file, heads, kv_heads, key=head, value=head)
    file.keys(__attention__sliding_window=1024, __rope__freq_base=1e6)
    file.vocabulary(vocabulary, merges)
    file.tensor("token_embd.weight", width, vocabulary, kind=Weights.Q6_K)
    file.norms("output_norm.weight", width=width)
    for layer in range(layers):
        block = f"blk.{layer}."
        names = ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
        file.norms(*(f"{block}{name}.weight" for name in names), width=width)
        file.norms(f"{block}attn_q_norm.weight", f"{block}attn_k_norm.weight", width=head)
        _add_attention(file, block, width, heads * head, kv_heads * head)
        _add_feed_forward(file, block, width, forward)
    return file.close()


def write_deepseek_lite(path: Path, *, vocabulary: int = 102400) -> Path:
    """DeepSeek V2 Lite: one compressed key for all heads, and no value (MLA); experts."""
    layers, width, forward, heads, rank, rope = 27, 2048, 10944, 16, 512, 64
    plain, value, experts, of_expert, shared = 128, 128, 64, 1408, 2
    file = SparseGguf(path, "deepseek2")
    _describe(file, "DeepSeek V2 Lite Chat", layers, width, forward, context=163840)
    _describe_attention(file, heads, 1, key=rank + rope, value=rank)
    file.keys(
        __attention__kv_lora_rank=rank,
        __attention__key_length_mla=plain + rope,
        __attention__value_length_mla=value,
        __rope__dimension_count=rope,
        __vocab_size=vocabulary,
        __leading_dense_block_count=1,
        __expert_count=experts,
        __expert_used_count=6,
        __expert_shared_count=shared,
        __expert_feed_forward_length=of_expert,
        __expert_weights_scale=1.0,
    )
    file.vocabulary(vocabulary)
    file.tensor("token_embd.weight", width, vocabulary)
    file.norms("output_norm.weight", width=width)
    file.tensor("output.weight", width, vocabulary, kind=Weights.Q6_K)
    for layer in range(layers):
        block = f"blk.{layer}."
        file.norms(f"{block}attn_norm.weight", f"{block}ffn_norm.weight", width=width)
        file.norms(f"{block}attn_kv_a_norm.weight", width=rank)
        file.tensor(f"{block}attn_q.weight", width, heads * (plain + rope))
        file.tensor(f"{block}attn_kv_a_mqa.weight", width, rank + rope, kind=Weights.Q8_0)
        file.tensor(f"{block}attn_k_b.weight", plain, rank, heads, kind=Weights.Q8_0)
        file.tensor(f"{block}attn_v_b.weight", rank, value, heads, kind=Weights.Q8_0)
        file.tensor(f"{block}attn_output.weight", heads * value, width)
        if not layer:
            _add_feed_forward(file, block, width, forward, down=Weights.Q8_0)
            continue
        file.tensor(f"{block}ffn_gate_inp.weight", width, experts, kind=Weights.F32)
        file.tensor(f"{block}ffn_gate_exps.weight", width, of_expert, experts)
        file.tensor(f"{block}ffn_up_exps.weight", width, of_expert, experts)
        file.tensor(f"{block}ffn_down_exps.weight", of_expert, width, experts, kind=Weights.Q8_0)
        _add_feed_forward(file, block, width, of_expert * shared, end="_shexp")
    return file.close()


def write_lfm_1b(path: Path, *, vocabulary: int = 65536) -> Path:
    """LFM2 1.2B: ten of sixteen layers keep no keys but a short convolution (a hybrid)."""
    layers, width, forward, heads, head = 16, 2048, 8192, 32, 64
    kv_heads = [8 if layer in (2, 5, 8, 10, 12, 14) else 0 for layer in range(layers)]
    file = SparseGguf(path, "lfm2")
    _describe(file, "LFM2 1.2B", layers, width, forward, context=128000)
    _describe_attention(file, heads, kv_heads)
    file.keys(__shortconv__l_cache=3, __vocab_size=vocabulary, __rope__freq_base=1e6)
    file.vocabulary(vocabulary)
    file.tensor("token_embd.weight", width, vocabulary, kind=Weights.Q6_K)
    file.norms("token_embd_norm.weight", width=width)
    for layer in range(layers):
        block = f"blk.{layer}."
        file.norms(f"{block}attn_norm.weight", f"{block}ffn_norm.weight", width=width)
        if kv_heads[layer]:
            file.norms(f"{block}attn_q_norm.weight", f"{block}attn_k_norm.weight", width=head)
            _add_attention(file, block, width, width, kv_heads[layer] * head)
        else:
            file.tensor(f"{block}shortconv.conv.weight", 3, width, kind=Weights.F32)
            file.tensor(f"{block}shortconv.in_proj.weight", width, 3 * width)
            file.tensor(f"{block}shortconv.out_proj.weight", width, width)
        _add_feed_forward(file, block, width, forward)
    return file.close()


def write_embedding_model(path: Path, *, width: int = 384, **keys: Value) -> Path:
    """A BERT as all-MiniLM-L6-v2 is one. Further keys are added, as `SparseGguf.keys` does."""
    return _write_bert(path, "all-MiniLM-L6-v2", width, __pooling_type=1, **keys).close()


def write_reranker(path: Path, *, width: int = 384, **keys: Value) -> Path:
    """A BERT with a row that scores, as the ms-marco models."""
    file = _write_bert(path, "ms-marco-MiniLM-L6-v2", width, __pooling_type=4, **keys)
    file.keys(__classifier__output_labels=["LABEL_0"])
    file.tensor("cls.weight", width, width, kind=Weights.F16)
    file.tensor("cls.output.weight", width, 1, kind=Weights.F32)
    return file.close()


def _write_bert(path: Path, name: str, width: int, **keys: Value) -> SparseGguf:
    layers, forward, context, vocabulary = 6, 4 * width, 512, 30522
    file = SparseGguf(path, "bert")
    file.keys(
        general__type="model",
        general__name=name,
        general__file_type=1,
        __context_length=context,
        __embedding_length=width,
        __block_count=layers,
        __feed_forward_length=forward,
        __attention__head_count=12,
        __attention__layer_norm_epsilon=1e-12,
        __attention__causal=False,
        tokenizer__ggml__token_type_count=2,
        **keys,
    )
    file.vocabulary(vocabulary)
    file.tensor("token_embd.weight", width, vocabulary, kind=Weights.F16)
    file.tensor("position_embd.weight", width, context, kind=Weights.F32)
    file.tensor("token_types.weight", width, 2, kind=Weights.F32)
    file.norms("token_embd_norm.weight", "token_embd_norm.bias", width=width)
    for layer in range(layers):
        block = f"blk.{layer}."
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            file.tensor(f"{block}{part}.weight", width, width, kind=Weights.F16)
        file.tensor(f"{block}ffn_up.weight", width, forward, kind=Weights.F16)
        file.tensor(f"{block}ffn_down.weight", forward, width, kind=Weights.F16)
        for norm in ("attn_output_norm", "layer_output_norm"):
            file.norms(f"{block}{norm}.weight", f"{block}{norm}.bias", width=width)
    return file


def write_projector(
    path: Path, *, projection_dim: int, vision: bool = True, audio: bool = False
) -> Path:
    """A projector for a model that is as wide as `projection_dim`; it can encode nothing."""
    file = SparseGguf(path, "clip")
    file.keys(general__type="mmproj", general__name="A projector", general__file_type=1)
    file.keys(__has_vision_encoder=vision, __has_audio_encoder=audio, __projector_type="mlp")
    for kind, has_it, tensors in (("vision", vision, ""), ("audio", audio, "a.")):
        if has_it:
            file.named({f".{kind}.projection_dim": projection_dim, f".{kind}.block_count": 2})
            file.tensor(f"{tensors or 'v.'}patch_embd.weight", 14, 14, 3, 1024, kind=Weights.F16)
            file.tensor(f"mm.{tensors}0.weight", 1024, projection_dim, kind=Weights.F16)
    return file.close()


def write_draft(path: Path, *, width: int = 4096) -> Path:
    """An EAGLE-3 head, which guesses tokens for a model of this width."""
    file = SparseGguf(path, "eagle3")
    _describe(file, "Eagle3", layers=1, width=width, forward=3 * width, context=2048)
    _describe_attention(file, 32, 8)
    file.keys(__target_layers=[2, 16, 29], __target_hidden_size=width)
    file.tensor("fc.weight", 3 * width, width, kind=Weights.F16)
    return file.close()


def write_mtp_head(path: Path, *, width: int = 4096) -> Path:
    """The layer of a model that guesses one token more (MTP), in a file of its own."""
    file = SparseGguf(path, "glm4moe")
    _describe(file, "GLM 4.5 Air", layers=47, width=width, forward=10944, context=131072)
    _describe_attention(file, 96, 8)
    file.keys(__nextn_predict_layers=1)
    file.tensor("blk.46.nextn.eh_proj.weight", 2 * width, width, kind=Weights.Q8_0)
    file.norms("blk.46.attn_norm.weight", width=width)
    return file.close()


def write_adapter(path: Path, *, width: int = 4096) -> Path:
    """A LoRA adapter for a llama model of this width."""
    file = SparseGguf(path, "llama")
    file.keys(general__type="adapter", adapter__type="lora", adapter__lora__alpha=16.0)
    file.tensor("blk.0.attn_q.weight.lora_a", width, 16, kind=Weights.F16)
    file.tensor("blk.0.attn_q.weight.lora_b", 16, width, kind=Weights.F16)
    return file.close()


def write_imatrix(path: Path) -> Path:
    """An importance matrix, which says no architecture."""
    file = SparseGguf(path, "")
    file.keys(general__type="imatrix", imatrix__datasets=["text.txt"], imatrix__chunk_count=100)
    file.tensor("blk.0.attn_q.weight.in_sum2", 4096, kind=Weights.F32)
    file.tensor("blk.0.attn_q.weight.counts", 1, kind=Weights.F32)
    return file.close()


def _describe(
    file: SparseGguf, name: str, layers: int, width: int, forward: int, context: int
) -> None:
    file.keys(
        general__type="model",
        general__name=name,
        general__file_type=15,
        __context_length=context,
        __embedding_length=width,
        __block_count=layers,
        __feed_forward_length=forward,
        __attention__layer_norm_rms_epsilon=1e-5,
        tokenizer__chat_template="{{ messages }}",
    )


def _describe_attention(
    file: SparseGguf,
    heads: int,
    kv_heads: int | list[int],
    key: int | None = None,
    value: int | None = None,
) -> None:
    file.keys(__attention__head_count=heads, __attention__head_count_kv=kv_heads)
    if key is not None and value is not None:
        file.keys(__attention__key_length=key, __attention__value_length=value)


def _add_attention(file: SparseGguf, block: str, width: int, queries: int, keys: int) -> None:
    file.tensor(f"{block}attn_q.weight", width, queries)
    file.tensor(f"{block}attn_k.weight", width, keys)
    file.tensor(f"{block}attn_v.weight", width, keys, kind=Weights.Q6_K)
    file.tensor(f"{block}attn_output.weight", queries, width)


def _add_feed_forward(
    file: SparseGguf,
    block: str,
    width: int,
    forward: int,
    end: str = "",
    down: Weights = Weights.Q6_K,
) -> None:
    file.tensor(f"{block}ffn_gate{end}.weight", width, forward)
    file.tensor(f"{block}ffn_up{end}.weight", width, forward)
    file.tensor(f"{block}ffn_down{end}.weight", forward, width, kind=down)
