"""How much a model needs, by hand; llama-server's own figures are in the file beside this one."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.models.facts import CacheShape, ModelFacts
from llama_mcp.models.needs import PROCESS_BYTES, StartOptions, needs_of
from tests.support.llama_8b import LLAMA_8B

MIB = 2**20
GQA = LLAMA_8B.shape
LLAMA = replace(LLAMA_8B, header_bytes=8 * MIB)
SIZE = 5000 * MIB
EVERY_SECOND = tuple(layer % 2 == 0 for layer in range(32))
WINDOWED = replace(GQA, sliding_window=1024, has_window=EVERY_SECOND)


def context_of(shape: CacheShape, options: StartOptions) -> int:
    return needs_of(replace(LLAMA, shape=shape), SIZE, options).context_bytes


def test_all_parts_and_the_process_add_up() -> None:
    needs = needs_of(LLAMA, SIZE, StartOptions(4096, 1), projector_size_bytes=100)
    assert needs.weights_bytes == SIZE - 8 * MIB
    assert needs.context_bytes == 512 * MIB
    assert needs.compute_bytes == 128 * MIB
    assert needs.projector_bytes > 100
    assert needs.process_bytes == PROCESS_BYTES
    assert needs.total_bytes == sum(
        (
            needs.weights_bytes,
            needs.context_bytes,
            needs.compute_bytes,
            needs.projector_bytes,
            needs.process_bytes,
        )
    )


@pytest.mark.parametrize(
    ("shape", "options", "context_mib"),
    [
        (GQA, StartOptions(4096, 4), 2048),
        (GQA, StartOptions(4000, 1), 512),  # room is made in steps of 256
        (GQA, StartOptions(4096, 4, is_unified=True), 2048),
        (GQA, StartOptions(4096, 1, key_bytes=34 / 32, value_bytes=34 / 32), 272),
        (GQA, StartOptions(4096, 1, key_bytes=34 / 32), 392),
        (WINDOWED, StartOptions(8192, 1), 512 + 96),  # 1024 and a step of 512
        (WINDOWED, StartOptions(8192, 1, ubatch_size=1024), 512 + 128),
        (WINDOWED, StartOptions(8192, 1, has_full_windows=True), 1024),
        (WINDOWED, StartOptions(8192, 2, is_unified=True), 1024 + 160),
        (WINDOWED, StartOptions(512, 1), 64),  # a window larger than all
        (replace(WINDOWED, window_key_length=64), StartOptions(8192, 1), 512 + 72),
        (replace(GQA, key_length=576, value_length=0, kv_heads=(1,) * 32), StartOptions(4096), 144),
        (replace(GQA, kv_heads=(0, 8) * 16, recurrent_bytes=MIB), StartOptions(4096, 3), 771),
        (CacheShape(recurrent_bytes=5 * MIB), StartOptions(131072, 2), 10),
        (CacheShape(), StartOptions(512, 4), 0),
    ],
)
def test_a_context_takes_what_its_layers_keep(
    shape: CacheShape, options: StartOptions, context_mib: float
) -> None:
    assert context_of(shape, options) == context_mib * MIB


def test_only_what_makes_vectors_has_the_logits_of_all_tokens() -> None:
    chat = needs_of(LLAMA, SIZE, StartOptions(4096)).compute_bytes
    asked = needs_of(LLAMA, SIZE, StartOptions(4096, makes_vectors=True)).compute_bytes
    made_for_it = replace(LLAMA, kind="embedding")
    vectors = needs_of(made_for_it, SIZE, StartOptions(4096, ubatch_size=512)).compute_bytes
    assert asked == vectors > chat + 100 * MIB


def test_a_model_that_makes_vectors_takes_a_whole_text_in_one_step() -> None:
    encoder = replace(LLAMA, kind="embedding", shape=CacheShape(), context_length=2048)
    steps = [needs_of(encoder, SIZE, StartOptions(size)).compute_bytes for size in (1024, 2048)]
    assert steps[0] < steps[1]
    assert needs_of(encoder, SIZE, StartOptions(65536)).compute_bytes == steps[1]


def test_without_flash_attention_the_scores_of_all_heads_are_kept() -> None:
    needs = needs_of(LLAMA, SIZE, StartOptions(16384, 2, flash_attention=False))
    assert needs.compute_bytes == pytest.approx(1108 * MIB, rel=0.01)  # llama-server says 1108


@given(
    st.integers(256, 131072),
    st.integers(1, 64),
    st.sampled_from([GQA, WINDOWED, CacheShape(recurrent_bytes=MIB)]),
)
def test_more_context_and_more_conversations_never_need_less(
    ctx_size: int, parallel: int, shape: CacheShape
) -> None:
    facts = replace(LLAMA, shape=shape)
    needs = [
        needs_of(facts, SIZE, options).total_bytes
        for options in (
            StartOptions(ctx_size, parallel),
            StartOptions(ctx_size + 1, parallel),
            StartOptions(ctx_size + 1, parallel + 1),
        )
    ]
    assert needs == sorted(needs)


def test_a_header_that_says_nothing_needs_its_weights_only() -> None:
    bare = ModelFacts(role="model", kind="base", architecture="x")
    needs = needs_of(bare, SIZE, StartOptions(4096, 4))
    assert 0 <= needs.total_bytes - SIZE - PROCESS_BYTES < MIB
