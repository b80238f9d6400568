"""How much a context of a model takes, as far as its header decides.

The source of all of it is llama.cpp b11434: src/llama-hparams.cpp for the formulas, `load_hparams`
and `create_memory` of src/llama-model.cpp, and src/models/*.cpp for what an architecture does when
its keys do not say.
"""

from llama_mcp.models.facts import CacheShape
from llama_mcp.models.gguf.described import Described
from llama_mcp.models.gguf.windows import has_window, window_of

# `create_memory` makes none for them.
_WITHOUT_MEMORY = frozenset(
    {
        *("bert", "jina-bert-v2", "jina-bert-v3", "nomic-bert", "nomic-bert-moe", "modern-bert"),
        *("neo-bert", "eurobert", "gemma-embedding", "wavtokenizer-dec", "dream", "llada"),
        *("llada-moe", "rnd1", "clef"),
    }
)
_RECURRENT = frozenset({"mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"})
# Every layer has both, keys and a state.
_BOTH = frozenset({"falcon-h1"})
# Each n-th layer keeps keys where the header does not say which.
_FULL_ATTENTION_EVERY = {
    "qwen3next": 4,
    "qwen35": 4,
    "qwen35moe": 4,
    "qwen4exp": 4,
    "minimax-01": 8,
}
# A layer without keys that has a feed-forward network keeps no state either.
_OR_FORWARD = frozenset({"nemotron_h", "nemotron_h_moe"})
# So many layers, from the first on, keep keys; the others look into theirs.
_KEPT_FROM_START = {"gemma3n": 20}
_F32_BYTES = 4


def shape_of(described: Described) -> CacheShape:
    """Return what decides how much a context takes; empty where nothing is kept."""
    if described.architecture in _WITHOUT_MEMORY or not described.layers:
        return CacheShape()
    heads = described.each_layer(".attention.head_count") or (0,) * described.layers
    kv_heads = described.each_layer(".attention.head_count_kv") or heads
    recurrent = _recurrent(described, kv_heads)
    key_length, value_length = _lengths(described, heads[0])
    window = window_of(described)
    return CacheShape(
        kv_heads=_kept(described, kv_heads, recurrent),
        key_length=key_length,
        value_length=value_length,
        sliding_window=window,
        has_window=has_window(described, kv_heads) if window else (),
        window_key_length=described.number(".attention.key_length_swa") or 0,
        window_value_length=described.number(".attention.value_length_swa") or 0,
        recurrent_bytes=sum(recurrent) * _numbers_kept(described, heads[0]) * _F32_BYTES,
    )


def _lengths(described: Described, heads: int) -> tuple[int, int]:
    """Return how many numbers a key and a value of one head have."""
    if not heads:
        return 0, 0
    default = (described.number(".embedding_length") or 0) // heads
    lengths = [described.number(f".attention.{part}_length") for part in ("key", "value")]
    of_mla = [described.number(f".attention.{part}_length_mla") for part in ("key", "value")]
    key, value = (default if length is None else length for length in lengths)
    return key, 0 if all(of_mla) else value


def _trunk_layers(described: Described) -> int:
    """How many layers a context of the model has; those behind it guess further tokens (MTP)."""
    layers = described.layers
    return layers - min(layers - 1, described.number(".nextn_predict_layers") or 0)


def _recurrent(described: Described, kv_heads: tuple[int, ...]) -> list[bool]:
    """Return of each layer whether it keeps a state of its own."""
    architecture, trunk = described.architecture, _trunk_layers(described)
    layers = range(described.layers)
    if architecture in _RECURRENT | _BOTH:
        return [layer < trunk for layer in layers]
    if every := _FULL_ATTENTION_EVERY.get(architecture):
        said = described.each_layer(".attention.recurrent_layers")
        every = described.number(".full_attention_interval") or every
        return [bool(said[n]) if said else n < trunk and (n + 1) % every != 0 for n in layers]
    forward = described.each_layer(".feed_forward_length") or (0,) * described.layers
    has_neither = [bool(length) and architecture in _OR_FORWARD for length in forward]
    return [n < trunk and not kv_heads[n] and not has_neither[n] for n in layers]


def _kept(
    described: Described, kv_heads: tuple[int, ...], recurrent: list[bool]
) -> tuple[int, ...]:
    """Return of each layer how many heads keep keys."""
    architecture, layers = described.architecture, described.layers
    shared = described.number(".attention.shared_kv_layers") or 0
    last = min(_trunk_layers(described), _KEPT_FROM_START.get(architecture, layers - shared))
    has_state_only = [is_recurrent and architecture not in _BOTH for is_recurrent in recurrent]
    return tuple(
        heads if layer < last and not has_state_only[layer] else 0
        for layer, heads in enumerate(kv_heads)
    )


def _numbers_kept(described: Described, heads: int) -> int:
    """How many numbers a recurrent layer keeps for each conversation: `n_embd_r` and `n_embd_s`."""
    number = described.number
    width = number(".embedding_length") or 0
    kernel = number(".ssm.conv_kernel") or 0
    if size := number(".wkv.head_size"):
        shifts = number(".token_shift_count")
        return (2 if shifts is None else shifts) * width + width * size
    if cache := number(".shortconv.l_cache"):
        return width * (cache - 1)
    if size := number(".kda.head_dim"):
        return 3 * (kernel - 1 if kernel else 3) * heads * size + size * size * heads
    if described.architecture == "minimax-01":
        return heads * (number(".attention.key_length") or width // max(heads, 1)) ** 2
    inner, state = number(".ssm.inner_size") or 0, number(".ssm.state_size") or 0
    groups = number(".ssm.group_count") or 0
    return max(kernel - 1, 0) * (inner + 2 * groups * state) + state * inner
