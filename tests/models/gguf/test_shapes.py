"""Which layers keep keys, look back no farther than a window, or keep a state of their own."""

from pathlib import Path

import pytest

from llama_mcp.models.facts import CacheShape
from llama_mcp.models.gguf.reading import read_facts
from tests.support import gguf_shapes
from tests.support.gguf_bytes import Plain, Value, header

WIDTH, HEADS = 64, 4


def shape_of(folder: Path, architecture: str, **keys: Value) -> CacheShape:
    """The shape of a model of twelve layers; keys, `__` for a dot, belong to the architecture."""
    own: dict[str, Value] = {
        "block_count": 12,
        "embedding_length": WIDTH,
        "attention.head_count": HEADS,
        "attention.head_count_kv": 2,
    }
    own |= {name.replace("__", "."): value for name, value in keys.items()}
    named = [(f"{architecture}.{name}", value) for name, value in own.items()]
    path = folder / "x.gguf"
    path.write_bytes(header([("general.architecture", architecture), *named]))
    return read_facts(path).shape


def marks(flags: tuple[bool, ...]) -> str:
    """Layers with a window as w, those without as F."""
    return "".join("w" if flag else "F" for flag in flags)


def test_grouped_queries_have_fewer_heads_that_keep_keys(tmp_path: Path) -> None:
    facts = read_facts(gguf_shapes.write_llama_8b(tmp_path / "x.gguf", vocabulary=1000))
    assert facts.shape == CacheShape(kv_heads=(8,) * 32, key_length=128, value_length=128)
    assert facts.head_count == 32


def test_compressed_keys_have_no_values(tmp_path: Path) -> None:
    facts = read_facts(gguf_shapes.write_deepseek_lite(tmp_path / "x.gguf", vocabulary=1000))
    assert facts.shape == CacheShape(kv_heads=(1,) * 27, key_length=576, value_length=0)


def test_a_hybrid_keeps_keys_in_some_layers_and_a_state_in_the_others(tmp_path: Path) -> None:
    shape = read_facts(gguf_shapes.write_lfm_1b(tmp_path / "x.gguf", vocabulary=1000)).shape
    assert [layer for layer, heads in enumerate(shape.kv_heads) if heads] == [2, 5, 8, 10, 12, 14]
    assert shape.recurrent_bytes == 10 * 2048 * 2 * 4


def test_a_window_is_in_five_of_six_layers_of_gemma(tmp_path: Path) -> None:
    shape = read_facts(gguf_shapes.write_gemma_27b(tmp_path / "x.gguf", vocabulary=1000)).shape
    assert (shape.sliding_window, marks(shape.has_window)[:12]) == (1024, "wwwwwFwwwwwF")
    assert (len(shape.has_window), sum(shape.has_window)) == (62, 52)


def test_a_head_that_does_not_say_its_length_has_its_part_of_the_width(tmp_path: Path) -> None:
    shape = shape_of(tmp_path, "llama")
    assert (shape.key_length, shape.value_length) == (16, 16)
    shape = shape_of(tmp_path, "llama", attention__key_length=24, attention__value_length=0)
    assert (shape.key_length, shape.value_length) == (24, 0)


def test_without_a_number_of_heads_that_keep_keys_all_do(tmp_path: Path) -> None:
    shape = shape_of(tmp_path, "llama", attention__head_count_kv=[1] * 12)
    assert shape.kv_heads == (1,) * 12
    heads: list[Plain] = [4 if layer < 6 else 2 for layer in range(12)]
    keys: dict[str, Value] = {"block_count": 12, "attention.head_count": heads}
    named = [("general.architecture", "llama"), *((f"llama.{k}", v) for k, v in keys.items())]
    path = tmp_path / "y.gguf"
    path.write_bytes(header(named))
    assert read_facts(path).shape.kv_heads == (4,) * 6 + (2,) * 6


@pytest.mark.parametrize(
    "architecture, expected",
    [
        ("gemma3", "wwwwwFwwwwwF"),
        ("gpt-oss", "wFwFwFwFwFwF"),
        ("cohere2", "wwwFwwwFwwwF"),
        ("olmo2", "wwwFwwwFwwwF"),
        ("gemma3n", "wwwwFwwwwFww"),
        ("plamo3", "wwwwwwwFwwww"),
        ("cohere2moe", "FwwwFwwwFwww"),
        ("smallthinker", "FwwwFwwwFwww"),
        ("deepseek4", "wwwwwwwwwwww"),
        ("lfm2", "wwwwwwwwwwww"),
        ("llama", ""),  # it has the key in some files, and llama.cpp does not look at it
        ("qwen2", ""),
    ],
)
def test_which_layers_have_a_window_is_the_architectures_where_the_header_does_not_say(
    tmp_path: Path, architecture: str, expected: str
) -> None:
    shape = shape_of(tmp_path, architecture, attention__sliding_window=512)
    assert marks(shape.has_window) == expected


def test_a_header_that_says_which_layers_have_a_window_is_believed(tmp_path: Path) -> None:
    def said(architecture: str, pattern: Value) -> str:
        shape = shape_of(
            tmp_path,
            architecture,
            attention__sliding_window=512,
            attention__sliding_window_pattern=pattern,
        )
        return marks(shape.has_window)

    assert said("gemma4", [True, True, False] * 4) == "wwFwwFwwFwwF"
    assert said("gemma4", [True, False]) == "wFFFFFFFFFFF"
    assert said("gemma4", [True] * 20) == "wwwwwwwwwwww"
    assert said("gemma3", 3) == "wwFwwFwwFwwF"
    assert said("smallthinker", 3) == "FwwFwwFwwFww"
    assert said("gemma3", 0) == "wwwwwwwwwwww"
    assert said("gemma3", 1) == "FFFFFFFFFFFF"


@pytest.mark.parametrize(
    "architecture, said, window",
    [
        ("gemma3", None, 0),
        ("gemma3", 0, 0),
        ("gemma2", None, 4096),
        ("llama4", None, 8192),
        ("llama4", 0, 0),
        ("llama4", 512, 8192),
        ("smallthinker", 512, 4096),
        ("smallthinker", None, 0),
        ("phi3", 2047, 0),  # switched off in llama.cpp
        ("exaone4", 4096, 0),  # only its 32B has one, of 64 layers
    ],
)
def test_how_far_a_window_reaches_is_what_llama_cpp_makes_of_it(
    tmp_path: Path, architecture: str, said: int | None, window: int
) -> None:
    keys: dict[str, Value] = {} if said is None else {"attention__sliding_window": said}
    shape = shape_of(tmp_path, architecture, **keys)
    assert shape.sliding_window == window
    assert bool(window) == bool(shape.has_window)


def test_layers_with_a_window_may_have_keys_of_another_length(tmp_path: Path) -> None:
    shape = shape_of(
        tmp_path,
        "gemma4",
        attention__sliding_window=512,
        attention__sliding_window_pattern=[True, False] * 6,
        attention__key_length=512,
        attention__value_length=512,
        attention__key_length_swa=256,
        attention__value_length_swa=256,
        attention__shared_kv_layers=4,
    )
    assert (shape.key_length, shape.window_key_length, shape.window_value_length) == (512, 256, 256)
    assert shape.kv_heads == (2,) * 8 + (0,) * 4


def test_layers_that_look_into_the_keys_of_others_keep_none(tmp_path: Path) -> None:
    shape = shape_of(tmp_path, "gemma3n", block_count=30, attention__sliding_window=512)
    assert shape.kv_heads == (2,) * 20 + (0,) * 10


def test_layers_that_guess_further_tokens_keep_nothing_for_a_conversation(tmp_path: Path) -> None:
    assert shape_of(tmp_path, "glm4moe", nextn_predict_layers=1).kv_heads == (2,) * 11 + (0,)


@pytest.mark.parametrize(
    "architecture", ["bert", "nomic-bert", "jina-bert-v2", "modern-bert", "gemma-embedding"]
)
def test_what_makes_vectors_only_keeps_nothing(tmp_path: Path, architecture: str) -> None:
    assert shape_of(tmp_path, architecture, attention__sliding_window=5) == CacheShape()


SSM: dict[str, Value] = {
    "ssm__conv_kernel": 4,
    "ssm__inner_size": 128,
    "ssm__state_size": 16,
    "ssm__group_count": 2,
}
SSM_BYTES = (3 * (128 + 2 * 2 * 16) + 16 * 128) * 4


@pytest.mark.parametrize(
    "architecture, keys, layers, kv_heads",
    [
        ("mamba", {"attention__head_count": 0, **SSM}, 12, (0,) * 12),
        ("falcon-h1", SSM, 12, (2,) * 12),
        ("jamba", {"attention__head_count_kv": [0, 0, 0, 2] * 3, **SSM}, 9, (0, 0, 0, 2) * 3),
        ("granitehybrid", {"attention__head_count_kv": [0, 2] * 6, **SSM}, 6, (0, 2) * 6),
        (
            "nemotron_h",
            {
                "attention__head_count_kv": [0, 0, 2] * 4,
                "feed_forward_length": [0, 99, 0] * 4,
                **SSM,
            },
            4,
            (0, 0, 2) * 4,
        ),
        ("qwen3next", SSM, 9, (0, 0, 0, 2) * 3),
        ("qwen35", {"full_attention_interval": 3, **SSM}, 8, (0, 0, 2) * 4),
        ("qwen35moe", {"attention__recurrent_layers": [1, 0] * 6, **SSM}, 6, (0, 2) * 6),
        (
            "qwen35",
            {"block_count": 13, "nextn_predict_layers": 1, **SSM},
            9,
            ((0, 0, 0, 2) * 3 + (0,)),
        ),
    ],
)
def test_layers_of_mamba_keep_a_convolution_and_a_state(
    tmp_path: Path,
    architecture: str,
    keys: dict[str, Value],
    layers: int,
    kv_heads: tuple[int, ...],
) -> None:
    shape = shape_of(tmp_path, architecture, **keys)
    assert shape.recurrent_bytes == layers * SSM_BYTES
    assert shape.kv_heads == kv_heads


@pytest.mark.parametrize(
    "architecture, keys, numbers",
    [
        ("rwkv6", {"wkv__head_size": 16, "attention__head_count": 0}, 2 * WIDTH + WIDTH * 16),
        ("arwkv7", {"wkv__head_size": 16, "token_shift_count": 1}, WIDTH + WIDTH * 16),
        (
            "kimi-linear",
            {"attention__head_count_kv": [0] * 12, "kda__head_dim": 8, "ssm__conv_kernel": 4},
            3 * 3 * HEADS * 8 + 8 * 8 * HEADS,
        ),
        ("minimax-01", {"attention__recurrent_layers": [1] * 12}, 16 * 16 * HEADS),
        ("mamba2", {}, 0),
    ],
)
def test_other_recurrent_layers_keep_what_their_kind_needs(
    tmp_path: Path, architecture: str, keys: dict[str, Value], numbers: int
) -> None:
    shape = shape_of(tmp_path, architecture, **keys)
    assert shape.recurrent_bytes == 12 * numbers * 4
    assert not any(shape.kv_heads)
