"""The formula against what llama-server took of a GPU: recorded on an H200, llama.cpp b11434.

What is on the GPU is what nvidia-smi said of the process; the rest is of llama-server's log. All of
them had all layers on the GPU.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from llama_mcp.models.fitting import Available, Fits
from llama_mcp.models.gguf.reading import read_facts
from llama_mcp.models.needs import CUDA_CONTEXT_BYTES, PROCESS_BYTES, StartOptions, needs_of
from tests.support.gguf_shapes import (
    write_deepseek_lite,
    write_gemma_27b,
    write_lfm_1b,
    write_llama_8b,
)
from tests.support.llama_8b import LLAMA_8B

MIB = 2**20
Q8_0, Q4_0 = 34 / 32, 18 / 32
PLAIN = StartOptions(4096, 4, uses_cuda=True)
LONG = StartOptions(131072, uses_cuda=True)


@dataclass(frozen=True)
class Taken:
    """What was taken, in MiB."""

    mapped: int
    """Of the file, in RAM: the table of tokens, which a step begins with."""
    weights: int
    context: int
    compute: int
    inputs: int
    on_gpu: int


Writer = Callable[[Path], Path]
RECORDED: list[tuple[Writer, StartOptions, Taken]] = [
    (write_llama_8b, PLAIN, Taken(282, 4651, 2048, 120, 36, 7408)),
    (write_llama_8b, replace(PLAIN, ctx_size=32768), Taken(282, 4651, 16384, 148, 64, 21772)),
    (
        write_llama_8b,
        replace(LONG, key_bytes=Q8_0, value_bytes=Q8_0),
        Taken(282, 4651, 8704, 680, 160, 14624),
    ),
    (
        write_llama_8b,
        replace(LONG, key_bytes=Q4_0, value_bytes=Q4_0),
        Taken(282, 4651, 4608, 680, 160, 10528),
    ),
    (
        write_llama_8b,
        replace(PLAIN, ctx_size=8192, flash_attention=False),
        Taken(282, 4651, 4096, 572, 52, 9908),
    ),
    (
        write_llama_8b,
        replace(PLAIN, ctx_size=8192, ubatch_size=2048),
        Taken(282, 4651, 4096, 496, 160, 9832),
    ),
    (write_deepseek_lite, PLAIN, Taken(112, 10754, 486, 84, 20, 11914)),
    (write_lfm_1b, PLAIN, Taken(105, 729, 193, 68, 20, 1580)),
    (write_gemma_27b, PLAIN, Taken(1103, 16770, 3776, 174, 48, 21308)),
]


@pytest.fixture(scope="module")
def file_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Writer], Path]:
    folder = tmp_path_factory.mktemp("shapes")
    written: dict[Writer, Path] = {}

    def file(write: Writer) -> Path:
        if write not in written:
            written[write] = write(folder / f"{len(written)}.gguf")
        return written[write]

    return file


@pytest.mark.parametrize(("write", "options", "taken"), RECORDED)
def test_the_formula_says_what_was_taken_of_a_gpu(
    file_of: Callable[[Writer], Path], write: Writer, options: StartOptions, taken: Taken
) -> None:
    model = file_of(write)
    needs = needs_of(read_facts(model), model.stat().st_size, options)
    assert needs.context_bytes / MIB == pytest.approx(taken.context, rel=0.01, abs=2)
    assert needs.compute_bytes / MIB == pytest.approx(taken.compute, rel=0.12, abs=4)
    assert needs.inputs_bytes / MIB == pytest.approx(taken.inputs, rel=0.1, abs=2)
    # Never less than it was, or a start would be said to fit that does not.
    assert 0 <= (needs.model_bytes + needs.driver_bytes) / MIB - taken.on_gpu < 400
    # Models with one table for both ends have it in RAM too, a part of the file that is mapped.
    everywhere = taken.on_gpu + taken.mapped + taken.inputs + PROCESS_BYTES / MIB
    assert needs.total_bytes / MIB == pytest.approx(everywhere, rel=0.05)


@pytest.mark.parametrize(
    ("start", "context", "compute"),
    [
        ({}, 5120, 156),
        ({"key_bytes": Q8_0, "value_bytes": Q8_0}, 2720, 240),
        ({"key_bytes": Q4_0, "value_bytes": Q4_0}, 1440, 240),
        ({"flash_attention": False}, 5120, 2684),
    ],
)
def test_the_formula_says_what_a_window_of_40960_tokens_took(
    start: dict[str, Any], context: int, compute: int
) -> None:
    # By llama-server's own breakdown at its end; a random 8B model with 354 tokens.
    facts = replace(LLAMA_8B, vocabulary_size=354)
    needs = needs_of(facts, 3757 * MIB, replace(LONG, ctx_size=40960, **start))
    assert needs.context_bytes == context * MIB
    assert needs.compute_bytes / MIB == pytest.approx(compute, rel=0.06)


def test_the_largest_window_that_is_told_leaves_room_for_the_driver() -> None:
    # A random 8B model with 354 tokens, ten conversations, 143,156 MiB free: 110,848 tokens each
    # took 143,134 MiB, and 256 more would have been 320 MiB too many.
    facts = replace(LLAMA_8B, vocabulary_size=354)
    start = StartOptions(4096, parallel=10, n_gpu_layers=-1, uses_cuda=True)
    free = Available(100_000 * MIB, (143_156 * MIB,))
    told = Fits(free, start).judge(facts, 3757 * MIB).max_ctx_size
    assert told is not None and 110_848 - 512 <= told <= 110_848
    # As if the driver kept nothing, which was so before.
    forgotten = replace(start, uses_cuda=False)
    wrong = Fits(free, forgotten).judge(facts, 3757 * MIB).max_ctx_size
    assert wrong is not None and wrong > 110_848


def test_a_processor_that_calculates_needs_no_driver() -> None:
    cpu = needs_of(LLAMA_8B, 5000 * MIB, StartOptions(4096))
    gpu = needs_of(LLAMA_8B, 5000 * MIB, StartOptions(4096, uses_cuda=True))
    assert (cpu.inputs_bytes, cpu.driver_bytes) == (0, 0)
    assert gpu.driver_bytes > CUDA_CONTEXT_BYTES
    assert gpu.outside_gpus_bytes == cpu.total_bytes + gpu.inputs_bytes
