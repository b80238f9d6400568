"""A start whose model does not fit is begun, and says what would."""

from pathlib import Path

import pytest

from llama_mcp.llama_server.choosing.fits_now import fits_now
from llama_mcp.llama_server.runs.run import Run, current_run
from llama_mcp.llama_server.starting.fit_note import judged
from llama_mcp.llama_server.status import ServerState
from llama_mcp.models.fitting import Available, Fits
from llama_mcp.models.named_models import NamedModels
from llama_mcp.models.needs import StartOptions
from llama_mcp.settings import Settings
from tests.llama_server.conftest import Process, process_of, start
from tests.support.gguf_shapes import write_llama_8b
from tests.support.llama_8b import LLAMA_8B
from tests.support.models_file import entry, write_models
from tests.support.nvml import Gpu, use_gpus

GIB = 2**30


def note(available: Available, options: StartOptions) -> str:
    unfit = judged(Fits(available, options), LLAMA_8B, 5 * GIB, 0)
    return unfit.note if unfit else ""


def test_nothing_is_said_of_what_fits() -> None:
    assert note(Available(8 * GIB), StartOptions(4096)) == ""


def test_needed_available_and_the_largest_context_are_said() -> None:
    assert note(Available(8 * GIB), StartOptions(32768, 4)) == (
        "It may not fit into memory: with ctx_size=32768 and parallel=4 it needs about 21.2 GiB, "
        "and 8.0 GiB is available. With parallel=4, ctx_size=5632 would fit."
    )


def test_a_model_that_is_too_large_itself_is_said_to_be() -> None:
    told = note(Available(3 * GIB, (GIB,)), StartOptions(4096))
    assert "3.0 GiB of RAM and 1.0 GiB of GPU memory is available. The model itself is too" in told
    assert "a smaller quant" in told


def test_memory_of_workers_is_named_apart() -> None:
    told = note(Available(3 * GIB, workers_bytes=(GIB, GIB)), StartOptions(4096))
    assert "and 3.0 GiB, with 2.0 GiB of RPC workers, is available." in told
    assert note(Available(3 * GIB, workers_bytes=(8 * GIB,)), StartOptions(4096)) == ""


def test_memory_that_a_gpu_shares_is_named_once() -> None:
    told = note(Available(3 * GIB, (2 * GIB,), is_unified=True), StartOptions(4096))
    assert "and 3.0 GiB, which the GPU shares, is available." in told


def test_too_many_layers_on_a_gpu_are_said_where_the_whole_would_fit() -> None:
    available = Available(32 * GIB, (3 * GIB,))
    told = note(available, StartOptions(4096, n_gpu_layers=-1))
    assert "n_gpu_layers=-1 wants more on the GPU than is free there" in told
    assert "would fit" not in told
    assert note(available, StartOptions(4096)) == ""


def test_a_window_with_which_the_layers_fit_is_said_too() -> None:
    available = Available(64 * GIB, (12 * GIB,))
    start = StartOptions(131072, n_gpu_layers=-1, uses_cuda=True)
    unfit = judged(Fits(available, start), LLAMA_8B, 5 * GIB, 0)
    assert unfit is not None and unfit.fitting_ctx_size is not None
    assert unfit.note.endswith(
        f"With n_gpu_layers=-1, ctx_size={unfit.fitting_ctx_size} would fit."
    )
    fitting = StartOptions(unfit.fitting_ctx_size, n_gpu_layers=-1, uses_cuda=True)
    assert note(available, fitting) == ""


@pytest.mark.posix
async def test_a_start_that_does_not_fit_is_begun_with_a_note(
    settings: Settings, tmp_path: Path
) -> None:
    model = str(write_llama_8b(tmp_path / "large.gguf", vocabulary=1000))
    large = settings.model_copy(update={"model_path": model, "ctx_size": 131072, "parallel": 64})
    async with process_of(large) as process:
        status = await start(process.supervisor)
        assert status.state is ServerState.READY
        (told,) = [note for note in status.notes or [] if "may not fit" in note]
        assert "with ctx_size=131072 and parallel=64 it needs about 10" in told
        run = current_run(large.runs_dir)
        assert isinstance(run, Run) and run.launch.fitting_ctx_size is not None
        again = await start(process.supervisor, ctx_size=256, parallel=1, replace=True)
        assert not [note for note in again.notes or [] if "may not fit" in note]


@pytest.mark.posix
async def test_models_are_judged_with_what_the_llama_server_that_runs_would_leave(
    first: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = await first.supervisor.fits()  # the stand-in says that it has a GPU
    assert listed.options == StartOptions(4096, 4, uses_cuda=True)
    assert listed.available.ram_bytes > 0
    assert listed.available.gpus_bytes == (8 * GIB,)  # 8000 MiB, and what it had itself to say so
    status = await start(first.supervisor)
    assert status.pid is not None
    gpu = Gpu("Stand-in", 2 * GIB, 8 * GIB, used=((status.pid, 3 * GIB), (1, GIB)))
    use_gpus(monkeypatch, gpu)
    assert (await first.supervisor.fits()).available.gpus_bytes == (5 * GIB,)
    await first.supervisor.stop(force=True)
    assert (await first.supervisor.fits()).available.gpus_bytes == (2 * GIB,)


async def test_without_an_engine_ram_is_judged(settings: Settings) -> None:
    nowhere = settings.model_copy(update={"llama_cpp_path": "/nowhere", "n_gpu_layers": 7})
    (fits,) = await fits_now(None, nowhere, {}, [None])
    assert fits.options == StartOptions(4096, 4, 7)
    assert fits.available.ram_bytes > 0 and fits.available.gpus_bytes == ()


@pytest.mark.posix
async def test_an_entry_is_judged_as_it_would_be_started(first: Process, tmp_path: Path) -> None:
    cache = ["--cache-type-k", "q8_0", "--device", "none"]
    text = entry("a", "m", ctx_size=512, parallel=1, extra_args=cache) + entry(
        "b", "m", n_gpu_layers=0
    )
    own, on_cpu = NamedModels(write_models(tmp_path / "models.toml", text)).own()
    fits, fits_on_cpu = await first.supervisor.fits_of([own, on_cpu])
    assert (fits.options.ctx_size, fits.options.parallel) == (512, 1)
    assert fits.available.gpus_bytes == ()
    assert fits_on_cpu.options == StartOptions(4096, 4, 0)


@pytest.mark.posix
async def test_an_engine_is_asked_once_for_its_devices_however_many_entries_have_settings(
    first: Process, settings: Settings, fake_folder: Path, tmp_path: Path
) -> None:
    asked = tmp_path / "asked"
    program = fake_folder / "counting"
    counts = f'case "$*" in *--list-devices*) echo x >> {asked};; esac'
    program.write_text(f'#!/bin/sh\n{counts}\nexec {settings.llama_cpp_path} "$@"\n')
    program.chmod(0o755)
    texts = [
        entry(f"m{n}", "m", ctx_size=512 * n, llama_cpp_path=str(program)) for n in range(1, 6)
    ]
    entries = NamedModels(write_models(tmp_path / "models.toml", *texts)).own()
    for rounds in (1, 2):
        fits = await first.supervisor.fits_of(entries)
        assert [each.options.ctx_size for each in fits] == [512 * n for n in range(1, 6)]
        # The stand-in's GPU is not one that NVML knows: each list asks anew.
        assert asked.read_text().count("x") == rounds
