"""Plays every show and says what was seen; see __init__.py.

python -m tests.gpu LLAMA_CPP [--model GGUF] [--folder FOLDER] [SHOW...]

Words choose the shows whose names hold one of them. With --model all are played with that file,
else with random and empty models of true shapes, of which the largest has 16 GB.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from tests.gpu import card
from tests.gpu.endings import endings
from tests.gpu.estimates import STARTS, USUAL, Start, estimates, growth
from tests.gpu.layers import layers
from tests.gpu.report import Report
from tests.gpu.stage import Stage
from tests.gpu.together import together
from tests.gpu.too_large import too_large
from tests.support.gguf_shapes import (
    write_deepseek_lite,
    write_gemma_27b,
    write_lfm_1b,
    write_llama_8b,
)
from tests.support.random_llama import LLAMA_1B, LLAMA_8B, write_random_llama

Show = Callable[[], Awaitable[None]]
UNTRIED = 77


def main() -> int:
    """Read the arguments, play the shows and return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("llama_cpp", type=Path, help="a llama.cpp folder with a CUDA build")
    parser.add_argument("shows", nargs="*", help="words of names of shows; without any, all")
    parser.add_argument("--model", type=Path, help="a GGUF file that converses")
    parser.add_argument("--folder", help="where models of up to 16 GB are written")
    given = parser.parse_intermixed_args()
    if shutil.which("nvidia-smi") is None:
        print("Nothing was tried: nvidia-smi is not here, so neither is an NVIDIA GPU.")
        return UNTRIED
    report = Report()
    print(f"{card.name()}, driver {card.driver()}, {card.free_bytes() / card.MIB:,.0f} MiB free")
    with tempfile.TemporaryDirectory(prefix="llama-mcp-gpu-", dir=given.folder) as folder:
        stage = Stage(Path(folder), given.llama_cpp.resolve(), report)
        for name, show in _shows(stage, given.model).items():
            if not given.shows or any(word in name for word in given.shows):
                anyio.run(_play, stage, name, show)
    print(f"\n{len(report.failed)} failed: {', '.join(report.failed)}" if report.failed else "\nok")
    return 1 if report.failed else 0


def _shows(stage: Stage, given: Path | None) -> dict[str, Show]:
    stage.models.mkdir()
    talking, small, shapes = _models(stage.models, given)
    return {
        "layers": lambda: layers(stage, talking),
        "estimates": lambda: estimates(stage, shapes),
        "growth": lambda: growth(stage, talking),
        "too large": lambda: too_large(stage, talking),
        "endings": lambda: endings(stage, talking),
        "together": lambda: together(stage, talking, small),
    }


def _models(folder: Path, given: Path | None) -> tuple[Path, Path, dict[Path, tuple[Start, ...]]]:
    """Return one that converses, a small one, and those whose needs are compared."""
    if given is not None:
        model = folder / given.name
        model.symlink_to(given.resolve())
        return model, model, {model: STARTS}
    talking = write_random_llama(folder / "random-8b.gguf", LLAMA_8B)
    small = write_random_llama(folder / "random-1b.gguf", LLAMA_1B, seed=1)
    shapes = {
        write_llama_8b(folder / "llama-8b.gguf"): STARTS,
        write_deepseek_lite(folder / "deepseek-lite.gguf"): USUAL,
        write_lfm_1b(folder / "lfm-1b.gguf"): USUAL,
        write_gemma_27b(folder / "gemma-27b.gguf"): USUAL,
        talking: USUAL,
        small: USUAL,
    }
    return talking, small, shapes


async def _play(stage: Stage, name: str, show: Show) -> None:
    began, report = time.monotonic(), stage.report
    report.heading(name)
    try:
        await show()
        await stage.when_nothing_runs()
    except Exception as error:  # the other shows are still to be seen
        cause = _innermost(error)
        report.check(False, name, "no error", f"{type(cause).__name__}: {cause}")
    report.figure(f"{name} took", f"{time.monotonic() - began:.0f} s")


def _innermost(error: Exception) -> Exception:
    """Return what a task group has wrapped."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


if __name__ == "__main__":
    sys.exit(main())
