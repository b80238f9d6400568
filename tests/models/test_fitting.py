"""Whether a model fits, and with how large a context; by hand, and for whatever memory."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.models.fitting import GPU_MARGIN_BYTES, Available, Fit, Fits
from llama_mcp.models.model import Model
from llama_mcp.models.needs import StartOptions, needs_of
from tests.support.llama_8b import LLAMA_8B

MIB = 2**20
GIB = 2**30
SIZE = 5 * GIB
START = StartOptions(4096)
NEEDS = needs_of(LLAMA_8B, SIZE, START)


def fit_of(available: Available, start: StartOptions = START) -> Fit:
    return Fits(available, start).judge(LLAMA_8B, SIZE)


def verdict(ram: float, *gpus: float, is_unified: bool = False, layers: int | None = None) -> str:
    available = Available(int(ram * GIB), tuple(int(gpu * GIB) for gpu in gpus), is_unified)
    return fit_of(available, replace(START, n_gpu_layers=layers)).fits


@pytest.mark.parametrize(
    ("ram", "gpus", "fits"),
    [
        (8, (), "cpu"),
        (5, (), "no"),
        (8, (8,), "gpu"),
        (1, (8,), "gpu"),
        (8, (6,), "partly_gpu"),  # llama.cpp leaves a GiB of a GPU free
        (8, (4, 4), "gpu"),
        (2, (2.5, 2.5), "no"),
        (4, (2.5, 2.5), "partly_gpu"),
        (8, (1.1,), "cpu"),  # not one layer
        (8, (0.5,), "cpu"),
    ],
)
def test_a_model_fits_where_there_is_room(ram: float, gpus: tuple[float, ...], fits: str) -> None:
    assert verdict(ram, *gpus) == fits


@pytest.mark.parametrize(
    ("ram", "gpus", "workers", "fits"),
    [
        (8, (), (8,), "cpu"),
        (5, (), (8,), "workers"),
        (1, (), (4, 4), "workers"),
        (1, (2,), (5,), "workers"),
        (1, (8,), (8,), "gpu"),
        (1, (), (2,), "no"),
    ],
)
def test_workers_count_for_what_does_not_fit_here(
    ram: float, gpus: tuple[float, ...], workers: tuple[float, ...], fits: str
) -> None:
    def in_bytes(sizes: tuple[float, ...]) -> tuple[int, ...]:
        return tuple(int(size * GIB) for size in sizes)

    available = Available(int(ram * GIB), in_bytes(gpus), workers_bytes=in_bytes(workers))
    assert fit_of(available).fits == fits
    assert available.total_bytes == int(GIB * (ram + sum(gpus) + sum(workers)))


@pytest.mark.parametrize(
    ("ram", "gpu", "fits"),
    [(16, 12, "gpu"), (16, 4, "partly_gpu"), (5, 12, "no"), (8, 5, "partly_gpu"), (8, 0, "cpu")],
)
def test_memory_that_a_gpu_shares_counts_once(ram: float, gpu: float, fits: str) -> None:
    assert verdict(ram, gpu, is_unified=True) == fits
    assert Available(10, (7,), is_unified=True).total_bytes == 10
    assert Available(10, (7, 2)).total_bytes == 19


@pytest.mark.parametrize(
    ("ram", "gpu", "layers", "fits"),
    [
        (8, 80, 0, "cpu"),
        (4, 80, 0, "no"),
        (8, 6, -1, "gpu"),  # what is asked for leaves nothing free
        (80, 5, -1, "no"),
        (80, 5, 999, "no"),
        (80, 5, 16, "partly_gpu"),
        (2, 5, 16, "no"),
        (80, 1, 16, "no"),
    ],
)
def test_the_layers_that_are_asked_for_decide(
    ram: float, gpu: float, layers: int, fits: str
) -> None:
    assert verdict(ram, gpu, layers=layers) == fits


def test_what_is_needed_and_the_largest_context_are_told() -> None:
    room = Available(NEEDS.total_bytes + GIB)
    fit = fit_of(room)
    assert (fit.fits, fit.needs_bytes) == ("cpu", NEEDS.total_bytes)
    assert fit.max_ctx_size is not None
    assert fit.max_ctx_size % 256 == 0
    assert fit_of(room, replace(START, ctx_size=fit.max_ctx_size)).fits == "cpu"
    assert fit_of(room, replace(START, ctx_size=fit.max_ctx_size + 256)).fits == "no"


def test_no_context_fits_where_the_weights_do_not() -> None:
    assert fit_of(Available(4 * GIB)).max_ctx_size is None
    assert fit_of(Available(0)).max_ctx_size is None


@pytest.mark.parametrize(
    ("trained", "most"), [(131072, 131072), (2048, 2048), (1000, 768), (100, 100), (None, 4096)]
)
def test_no_more_context_is_told_than_a_model_was_trained_for(
    trained: int | None, most: int
) -> None:
    facts = replace(LLAMA_8B, context_length=trained)
    assert Fits(Available(1000 * GIB), START).judge(facts, SIZE).max_ctx_size == most


def test_a_larger_context_fits_where_the_cache_is_smaller() -> None:
    room = Available(8 * GIB)
    sizes = [
        fit_of(room, options).max_ctx_size or 0
        for options in (
            replace(START, parallel=4),
            START,
            replace(START, key_bytes=34 / 32, value_bytes=34 / 32),
        )
    ]
    assert sizes == sorted(set(sizes))


def test_a_row_of_the_library_is_judged_with_its_projector() -> None:
    fits = Fits(Available(NEEDS.total_bytes), START)
    row = Model("m", Path("m.gguf"), SIZE, "model_dirs", facts=LLAMA_8B)
    alone = fits.of(row)
    assert alone is not None and alone.fits == "cpu"
    together = fits.of(row, projector_size_bytes=800 * MIB)
    assert together is not None and together.fits == "no"
    assert together.needs_bytes > alone.needs_bytes + 800 * MIB
    assert fits.of(replace(row, facts=None)) is None


memory = st.integers(0, 40).map(lambda size: size * GIB // 2)


@given(
    st.builds(Available, memory, st.lists(memory, max_size=3).map(tuple), st.booleans()),
    st.sampled_from([None, -1, 0, 10]),
    st.integers(1, 8),
)
def test_the_largest_context_is_the_last_that_fits(
    available: Available, layers: int | None, parallel: int
) -> None:
    start = StartOptions(4096, parallel, layers)
    largest = fit_of(available, start).max_ctx_size
    smallest = fit_of(available, replace(start, ctx_size=256))
    assert (largest is None) == (smallest.fits == "no")
    if largest is not None:
        assert fit_of(available, replace(start, ctx_size=largest)).fits != "no"
        beyond = fit_of(available, replace(start, ctx_size=largest + 256))
        assert largest == LLAMA_8B.context_length or beyond.fits == "no"


@given(memory, memory, st.booleans())
def test_more_memory_never_fits_worse(ram: int, gpu: int, is_unified: bool) -> None:
    order = ["no", "cpu", "partly_gpu", "gpu"]
    less = fit_of(Available(ram, (gpu,), is_unified)).fits
    more = fit_of(Available(ram + GIB, (gpu + GPU_MARGIN_BYTES,), is_unified)).fits
    assert order.index(more) >= order.index(less)
