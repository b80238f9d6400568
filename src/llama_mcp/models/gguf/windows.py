"""Which layers of a model look back no farther than a window: src/models/*.cpp of b11434."""

from llama_mcp.models.gguf.described import Described

_PATTERN = ".attention.sliding_window_pattern"
# Where the header does not say which layers have no window, each n-th has none: the last of n.
_FULL_LAST = {
    **dict.fromkeys(("gemma3", "gemma-embedding"), 6),
    **dict.fromkeys(("gemma2", "gpt-oss"), 2),
    **dict.fromkeys(("llama4", "cohere2", "exaone4", "exaone-moe", "olmo2", "afmoe", "mellum"), 4),
    "muse-glimmer": 4,
    "gemma3n": 5,
    "plamo3": 8,
}
# The same, the first of n.
_FULL_FIRST = {"cohere2moe": 4, "laguna": 4, "smallthinker": 4, "modern-bert": 3}
_NONE_FULL = frozenset({"deepseek4", "dflash"})
# llama.cpp has switched theirs off.
_SWITCHED_OFF = frozenset({"phi3"})
_EXAONE4_WITH_WINDOW_LAYERS = 64
_DEFAULT = {"gemma2": 4096, "llama4": 8192, "exaone4": 4096}
# Whatever the header says, unless it says that there is none.
_FIXED = {"llama4": 8192, "smallthinker": 4096}


def window_of(described: Described) -> int:
    """Return how many tokens a layer with a window looks back; 0 where none has one."""
    architecture = described.architecture
    is_small = described.layers != _EXAONE4_WITH_WINDOW_LAYERS
    if architecture in _SWITCHED_OFF or (architecture == "exaone4" and is_small):
        return 0
    window = described.number(".attention.sliding_window")
    if window is None:
        return _DEFAULT.get(architecture, 0)
    return _FIXED.get(architecture, window) if window else 0


def has_window(described: Described, kv_heads: tuple[int, ...]) -> tuple[bool, ...]:
    """Return of each layer whether it has the window; empty where llama.cpp looks at none."""
    if isinstance(described.value(_PATTERN), list):
        return described.each_flag(_PATTERN)
    architecture, layers = described.architecture, range(described.layers)
    if architecture in _NONE_FULL:
        return (True,) * described.layers
    if architecture == "lfm2":
        return tuple(bool(heads) for heads in kv_heads)
    default = _FULL_FIRST.get(architecture) or _FULL_LAST.get(architecture)
    every = described.number(_PATTERN)
    every = default if every is None else every
    if not every:
        return () if every is None else (True,) * described.layers
    full = 0 if architecture in _FULL_FIRST else every - 1
    return tuple(layer % every != full for layer in layers)
