import signal
from dataclasses import replace
from typing import Any

import pytest

from llama_mcp.llama_server.diagnosis.causes import diagnose
from llama_mcp.llama_server.diagnosis.slowness import SlowFacts, advise_slow
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


def test_a_context_that_is_known_to_fit_is_proposed_alone() -> None:
    launch = replace(LAUNCH, fitting_ctx_size=1024)
    advice = diagnose(1, None, KV_CACHE, launch).advice
    assert "reserves 16384 tokens; ctx_size=1024 would fit, or a smaller" in advice
    useless = replace(LAUNCH, fitting_ctx_size=8192)
    assert "try parallel=1" in diagnose(1, None, KV_CACHE, useless).advice


def test_a_window_that_a_gpu_has_no_room_for_is_told_with_one_that_fits() -> None:
    # What llama-server (b11434) said on an H200, with all layers there.
    log = [
        "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 163840.00 MiB on device 0: "
        "cudaMalloc failed: out of memory",
        "ggml_backend_buft_alloc_buffer_n_default: failed to allocate CUDA0 buffer of size "
        "171798691840",
        "llama_init_from_model: failed to initialize the context: failed to allocate buffer for kv "
        "cache",
    ]
    window = replace(LAUNCH, ctx_size=131072, parallel=10, n_gpu_layers=-1)
    told = diagnose(1, None, log, replace(window, fitting_ctx_size=110848))
    assert told.cause == "the GPU's memory (CUDA or ROCm) is too small"
    assert "leave it out to put what fits. ctx_size=131072 with parallel=10" in told.advice
    assert "ctx_size=110848 would fit" in told.advice
    assert "cudaMalloc failed: out of memory" in told.evidence[0]


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

    assert "Correct parallel, or leave it out." in diagnose(1, None, log, LAUNCH).advice
    extra = replace(LAUNCH, extra_args=("-np", "0"))
    assert "Correct -np in extra_args" in diagnose(1, None, log, extra).advice


REFUSED_VALUE = [
    "error while handling argument \"--flash-attn\": error: unknown value: 'maybe'",
    "",
    "usage:",
    "-fa,   --flash-attn [on|off|auto]       set Flash Attention use ('on', 'off', or 'auto')",
    "                                        (env: LLAMA_ARG_FLASH_ATTN)",
    "",
    "to show complete usage, run with -h",
]


def test_a_refused_value_comes_with_what_the_flag_takes_and_its_usage_is_no_evidence() -> None:
    diagnosis = diagnose(1, None, REFUSED_VALUE, LAUNCH)

    assert "takes" not in diagnosis.advice
    assert "--flash-attn [on|off|auto] set Flash Attention use ('on'," in diagnosis.advice
    assert "(env:" not in diagnosis.advice
    assert diagnosis.evidence == (REFUSED_VALUE[0],)


def test_a_usage_that_is_cut_off_or_long_is_told_shortly() -> None:
    log = [*REFUSED_VALUE[:4], *["  and so on for ever"] * 100]

    assert len(diagnose(1, None, log, LAUNCH).advice) < 500


@pytest.mark.parametrize(
    ("model_bytes", "available", "ctx_size", "words", "advice"),
    [
        (4e9, 64e9, 4096, "by a person or a program (kill -9", "ask the user what"),
        (4e9, 64e9, 65536, "; the system does this when memory runs out, and a person", "ctx_size"),
        (4e9, 5e9, 4096, "; the system does this when memory runs out, and a person", "ctx_size"),
        (4e9, 64e9, 0, "; the system does this when memory runs out, and a person", "ctx_size"),
        (8e9, 4e9, 4096, ", which is what the system does to a program when memory runs", "8.0 GB"),
        (None, 64e9, 4096, "; the system does this when memory runs out", "parallel"),
    ],
)
def test_memory_is_blamed_for_a_kill_only_as_far_as_its_figures_show(
    model_bytes: float | None, available: float, ctx_size: int, words: str, advice: str
) -> None:
    size = None if model_bytes is None else int(model_bytes)
    launch = replace(
        LAUNCH, model_bytes=size, memory_available_bytes=int(available), ctx_size=ctx_size
    )
    healthy = ["0.00.027.815 I srv  llama_server: model loaded", "0.01.0 I slot launch"]

    diagnosis = diagnose(None, 9, healthy, launch, "linux")

    assert words in diagnosis.cause
    assert advice in diagnosis.advice
    assert diagnosis.evidence == ()


def test_an_end_in_order_is_told_from_a_program_that_ends_at_once() -> None:
    running = ["srv  llama_server: model loaded", "srv  operator(): cleaning up before exit..."]

    assert "somebody told it to end" in diagnose(0, None, running, LAUNCH).cause
    for log in ([], ["started in the background"]):
        diagnosis = diagnose(0, None, log, LAUNCH)
        assert "a wrapper that puts it into the background ends so too" in diagnosis.cause
        assert "exec llama-server" in diagnosis.advice


IDLE = SlowFacts(
    model="m", is_embedded=False, n_gpu_layers=None, model_bytes=100_000_000, load=1.0, cores=2
)


@pytest.mark.parametrize(
    ("changes", "platform", "words"),
    [
        ({"load": 11.0, "is_embedded": True}, "linux", "The machine is busy (load 11 on 2 cores)"),
        ({"is_embedded": True}, "linux", "The embedded engine calculates on the CPU only"),
        ({"is_embedded": True}, "darwin", "A smaller max_tokens"),
        ({"n_gpu_layers": 0}, "linux", "n_gpu_layers=0 keeps the model on the CPU"),
        ({"model_bytes": 8 * 2**30}, "linux", "A smaller model or quantisation than m (8.0 GiB)"),
        (
            {"workers": {"10.0.0.2:50052": 25.2}},
            "linux",
            "The round trip to the RPC worker 10.0.0.2:50052 takes 25 ms",
        ),
        (
            {"workers": {"10.0.0.2:50052": 0.3, "10.0.0.3:50052": None}},
            "linux",
            "A part of the model is on RPC workers (10.0.0.2:50052, 10.0.0.3:50052)",
        ),
        ({}, "linux", "A smaller max_tokens ends a reply sooner."),
    ],
)
def test_a_slow_reply_comes_with_what_helps_here(
    changes: dict[str, Any], platform: str, words: str
) -> None:
    advice = advise_slow(0.8, lambda: replace(IDLE, **changes), platform)

    assert advice is not None and advice.startswith("Slow: 0.8 tokens/s. ") and words in advice
    for other in ("busy", "embedded", "n_gpu_layers", "smaller model"):
        assert (other in advice) == (other in words)


def test_a_quick_reply_needs_no_advice_nor_a_look_at_the_machine() -> None:
    def look() -> SlowFacts:
        raise AssertionError("the machine was looked at")

    assert advise_slow(50.0, look) is None
