import signal
from dataclasses import replace

import pytest

from llama_mcp.llama_server.diagnosis.causes import diagnose
from llama_mcp.turns.reply_building import advise_slow
from tests.llama_server.diagnosis.launch import LAUNCH

KV_CACHE = ["llama_init_from_model: failed to initialize the context: std::bad_alloc"]
CUDA = ["cudaMalloc failed: out of memory"]


@pytest.mark.parametrize(
    ("ctx_size", "parallel", "words"),
    [
        (4096, 4, "reserves 16384 tokens; try parallel=1 or ctx_size=2048, or a smaller"),
        (131072, 1, "reserves 131072 tokens; try ctx_size=16384, or"),
        (512, 1, "reserves 512 tokens, or a smaller quantisation"),
        (0, 1, "the model's full window; try ctx_size=4096"),
    ],
)
def test_advice_for_memory_proposes_numbers_below_the_present_ones(
    ctx_size: int, parallel: int, words: str
) -> None:
    launch = replace(LAUNCH, ctx_size=ctx_size, parallel=parallel)

    assert words in diagnose(1, None, KV_CACHE, launch).advice


@pytest.mark.posix
def test_a_model_larger_than_memory_is_told_with_both_sizes() -> None:
    launch = replace(LAUNCH, model_bytes=8_100_000_000, memory_available_bytes=4_000_000_000)

    advice = diagnose(None, signal.Signals["SIGKILL"], [], launch).advice

    assert "the model file has 8.1 GB, 4.0 GB were available" in advice
    assert "ctx_size" not in advice


@pytest.mark.posix
def test_a_model_that_fits_is_told_with_both_sizes_and_a_smaller_context() -> None:
    launch = replace(LAUNCH, model_bytes=4_000_000_000, memory_available_bytes=4_100_000_000)

    advice = diagnose(None, signal.Signals["SIGKILL"], [], launch).advice

    assert "try parallel=1 or ctx_size=2048" in advice
    assert "4.0 GB, 4.1 GB" in advice


@pytest.mark.parametrize(
    ("n_gpu_layers", "words"),
    [
        (None, "n_gpu_layers=10"),
        (-1, "leave it out"),
        (0, '"--device", "none"'),
        (40, "n_gpu_layers=20 instead of 40"),
    ],
)
def test_advice_for_gpu_memory_starts_from_the_layers_asked_for(
    n_gpu_layers: int | None, words: str
) -> None:
    assert words in diagnose(1, None, CUDA, replace(LAUNCH, n_gpu_layers=n_gpu_layers)).advice


def test_advice_for_a_bad_flag_says_where_it_came_from() -> None:
    log = ["error: invalid argument: --mlock"]

    asked = diagnose(1, None, log, replace(LAUNCH, extra_args=("--mlock",))).advice
    ours = diagnose(1, None, log, LAUNCH).advice

    assert "Take --mlock out of extra_args" in asked
    assert "llama_cpp_path" in ours
    assert "extra_args" not in ours


def test_advice_for_a_bad_value_names_the_parameter_it_came_from() -> None:
    log = ['error while handling argument "-np": error: invalid value for n_parallel']

    assert "Correct parallel;" in diagnose(1, None, log, LAUNCH).advice
    extra = replace(LAUNCH, extra_args=("-np", "0"))
    assert "Correct -np in extra_args" in diagnose(1, None, log, extra).advice


def test_slow_replies_come_with_what_makes_them_quicker() -> None:
    assert "n_gpu_layers=-1" in str(advise_slow(1.5, 0))
    assert "n_gpu_layers" not in str(advise_slow(1.5, 99))
    assert advise_slow(50.0, None) is None
