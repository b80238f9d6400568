"""How much memory a model needs: llama.cpp's own figure, from the header and a few numbers.

The formula follows llama-context.cpp, llama-kv-cache*.cpp and, where a GPU calculates with CUDA,
fattn.cu of b11434; tests compare it with what llama-server itself says of files of true shapes, and
with what it took of a GPU. Nothing is read or measured here.
"""

from dataclasses import dataclass
from functools import lru_cache

from llama_mcp.models.facts import CacheShape, ModelFacts

_MIB = 2**20
# Caches grow in steps of so many tokens (llama-kv-cache.cpp).
CACHE_STEP = 256
# A number of the cache in f16, which both keys and values have unless a start says otherwise.
F16_BYTES = 2.0
_F32_BYTES = 4
# What the process takes besides: its code, its threads, and what a request needs for a moment.
PROCESS_BYTES = 50 * _MIB
# What the driver keeps of a GPU for each program that uses CUDA, and what its libraries take once
# something is calculated: 518 and 71 MiB on an H200, and 12 more in a long turn.
CUDA_CONTEXT_BYTES = 518 * _MIB
CUDA_PROCESS_BYTES = CUDA_CONTEXT_BYTES + 128 * _MIB
# What waits in RAM to go to a GPU is so many times as wide as the model (seen of five models).
_INPUTS = 4
# What is there beside keys and values while attention is calculated, likewise.
_BESIDE_ATTENTION = 5
# What an encoder calculates in; not measured with real ones, which differ.
_ENCODER_BYTES = 300 * _MIB
# Their layers have one network where others have two and what joins these.
_WITHOUT_GATE = frozenset({"bert", "jina-bert-v3", "nomic-bert-moe"})
# The most tokens of one step unless a start says otherwise (common.h, n_ubatch).
UBATCH_SIZE = 512


@dataclass(frozen=True, slots=True)
class StartOptions:
    """What a start asks for that changes how much memory a model needs, and of which kind.

    Attributes:
        ctx_size: The window of each conversation, in tokens.
        parallel: How many conversations have one.
        n_gpu_layers: Layers on the GPU; -1 for all, None for as many as fit there.
        ubatch_size: The most tokens of one step; None for what a start takes by itself.
        key_bytes: What a number of a key takes in the cache; fewer than two where it is quantized.
        value_bytes: The same of a value.
        flash_attention: Whether attention is calculated without a matrix of all its scores.
        has_full_windows: Whether layers that look back a window keep all the same (--swa-full).
        is_unified: Whether all conversations share one window (--kv-unified).
        makes_vectors: Whether it is asked for vectors (--embedding), whatever the model is for.
        uses_cuda: Whether layers are calculated by CUDA.
    """

    ctx_size: int
    parallel: int = 1
    n_gpu_layers: int | None = None
    ubatch_size: int | None = None
    key_bytes: float = F16_BYTES
    value_bytes: float = F16_BYTES
    flash_attention: bool = True
    has_full_windows: bool = False
    is_unified: bool = False
    makes_vectors: bool = False
    uses_cuda: bool = False


@dataclass(frozen=True, slots=True)
class Needs:
    """What a model needs, in bytes.

    Attributes:
        weights_bytes: Its files without their headers.
        context_bytes: Keys and values of all conversations, or what recurrent layers keep.
        compute_bytes: What one step is calculated in.
        projector_bytes: What lets it see or hear, with what that calculates in; 0 without.
        process_bytes: What llama-server takes besides.
        inputs_bytes: What waits in RAM to go to a GPU; 0 where that is not known.
        driver_bytes: What a GPU's driver and libraries keep there for the process; 0 likewise.
    """

    weights_bytes: int
    context_bytes: int
    compute_bytes: int
    projector_bytes: int = 0
    process_bytes: int = PROCESS_BYTES
    inputs_bytes: int = 0
    driver_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.outside_gpus_bytes + self.driver_bytes

    @property
    def outside_gpus_bytes(self) -> int:
        """All that can be in RAM, where no layer is on a GPU."""
        return self.model_bytes + self.process_bytes + self.inputs_bytes

    @property
    def model_bytes(self) -> int:
        """What can be on a GPU, which is what llama-server itself tells of."""
        return self.weights_bytes + self.context_bytes + self.compute_bytes + self.projector_bytes


def needs_of(
    facts: ModelFacts, size_bytes: int, options: StartOptions, projector_size_bytes: int = 0
) -> Needs:
    """Return what a model needs.

    Args:
        facts: what its header says.
        size_bytes: what all its files have.
        options: how it is started.
        projector_size_bytes: what the file has that is loaded beside it; 0 without one.
    """
    cells = _Cells.of(facts, options)
    return Needs(
        weights_bytes=max(0, size_bytes - facts.header_bytes),
        context_bytes=_context_bytes(facts, options, cells),
        compute_bytes=_compute_bytes(facts, options, cells),
        projector_bytes=projector_size_bytes + _ENCODER_BYTES if projector_size_bytes else 0,
        inputs_bytes=_inputs_bytes(facts, options, cells) if options.uses_cuda else 0,
        driver_bytes=CUDA_PROCESS_BYTES if options.uses_cuda else 0,
    )


def cache_bytes_per_token(facts: ModelFacts, options: StartOptions) -> float | None:
    """Return what one token takes in a context; None when the header does not say it."""
    shape, heads = facts.shape, sum(_heads(facts.shape))
    numbers = (shape.key_length * options.key_bytes, shape.value_length * options.value_bytes)
    return heads * sum(numbers) or None


def padded(tokens: int) -> int:
    """Return how many tokens a cache has room for that is asked to have so many."""
    return -(-tokens // CACHE_STEP) * CACHE_STEP


@dataclass(frozen=True, slots=True)
class _Cells:
    """The tokens for which one cache has room, in layers with and without a window."""

    whole: int
    windowed: int
    caches: int
    """One for each conversation, or one for all."""

    @classmethod
    def of(cls, facts: ModelFacts, options: StartOptions) -> "_Cells":
        sharing = options.parallel if options.is_unified else 1
        whole = padded(options.ctx_size * sharing)
        step = _tokens_of_a_step(facts, options)
        window = padded(min(whole, facts.shape.sliding_window * sharing + step))
        return cls(
            whole=whole,
            windowed=whole if options.has_full_windows else window,
            caches=1 if options.is_unified else options.parallel,
        )


def _tokens_of_a_step(facts: ModelFacts, options: StartOptions) -> int:
    if options.ubatch_size is not None:
        size = options.ubatch_size
    elif facts.kind in ("embedding", "rerank"):
        # A whole text in one step, which a start asks for.
        size = min(options.ctx_size, facts.context_length or options.ctx_size)
    else:
        size = UBATCH_SIZE
    return min(size, padded(options.ctx_size) * options.parallel)


def _context_bytes(facts: ModelFacts, options: StartOptions, cells: _Cells) -> int:
    shape, (whole, windowed) = facts.shape, _heads(facts.shape)
    of_window = (shape.window_key_length or shape.key_length) * options.key_bytes + (
        shape.window_value_length or shape.value_length
    ) * options.value_bytes
    of_whole = shape.key_length * options.key_bytes + shape.value_length * options.value_bytes
    cached = cells.whole * whole * of_whole + cells.windowed * windowed * of_window
    return int(cached * cells.caches) + shape.recurrent_bytes * options.parallel


@lru_cache(maxsize=1024)  # a context is looked for that fits, in many steps
def _heads(shape: CacheShape) -> tuple[int, int]:
    """The heads of all keys, in layers without and with a window."""
    windows = shape.has_window or (False,) * len(shape.kv_heads)
    layers = list(zip(shape.kv_heads, windows, strict=False))
    windowed = sum(heads for heads, is_windowed in layers if is_windowed)
    return sum(heads for heads, _ in layers) - windowed, windowed


def _compute_bytes(facts: ModelFacts, options: StartOptions, cells: _Cells) -> int:
    """The largest of what is there at one time in a step: a layer, attention, the output."""
    tokens = _tokens_of_a_step(facts, options)
    width = facts.embedding_length
    numbers = _numbers_of_a_layer(facts)
    if not options.flash_attention:
        longest = tokens if _keeps_nothing(facts) else cells.whole
        numbers = max(numbers, facts.head_count * longest + 7 * width)
    # A conversation wants what comes after its last token only (server-context.cpp,
    # server_output_limits); a vector is made of all tokens.
    outputs = tokens if _makes_vectors(facts, options) else options.parallel
    logits = 0 if _keeps_nothing(facts) else outputs * (facts.vocabulary_size + 5 * width)
    largest = max(_F32_BYTES * max(tokens * numbers, logits), _copied_bytes(facts, options, cells))
    return largest + _mask_bytes(facts, options, cells)


def _keeps_nothing(facts: ModelFacts) -> bool:
    return not facts.shape.kv_heads and not facts.shape.recurrent_bytes


def _mask_bytes(facts: ModelFacts, options: StartOptions, cells: _Cells) -> int:
    """What says for each token of a step which others it sees."""
    tokens = _tokens_of_a_step(facts, options)
    whole, windowed = _heads(facts.shape)
    seen = cells.whole * bool(whole) + cells.windowed * bool(windowed)
    number_bytes = F16_BYTES if options.flash_attention else _F32_BYTES
    return int(number_bytes * tokens * (tokens if _keeps_nothing(facts) else seen))


def _inputs_bytes(facts: ModelFacts, options: StartOptions, cells: _Cells) -> int:
    numbers = _tokens_of_a_step(facts, options) * facts.embedding_length
    return _INPUTS * _F32_BYTES * numbers + _mask_bytes(facts, options, cells)


def _copied_bytes(facts: ModelFacts, options: StartOptions, cells: _Cells) -> int:
    """What attention takes where CUDA copies a layer's quantized keys and values as f16.

    It does so for flash attention over more than a few tokens (fattn.cu, get_alloc_size).
    """
    shape = facts.shape
    if not (options.uses_cuda and options.flash_attention and shape.kv_heads):
        return 0
    length = shape.key_length * (options.key_bytes < F16_BYTES)
    length += shape.value_length * (options.value_bytes < F16_BYTES)
    if not length:
        return 0
    copied = F16_BYTES * max(shape.kv_heads) * length * cells.whole * cells.caches
    step = _tokens_of_a_step(facts, options) * facts.embedding_length
    return int(copied) + _F32_BYTES * _BESIDE_ATTENTION * step


def _numbers_of_a_layer(facts: ModelFacts) -> int:
    """What one token takes while the largest part of a layer is calculated."""
    forward, width = facts.feed_forward_length, facts.embedding_length
    if facts.architecture in _WITHOUT_GATE:
        return forward + 5 * width
    return max(3 * forward + 5 * width, 15 * width if facts.shape.recurrent_bytes else 0)


def _makes_vectors(facts: ModelFacts, options: StartOptions) -> bool:
    return options.makes_vectors or facts.kind in ("embedding", "rerank")
