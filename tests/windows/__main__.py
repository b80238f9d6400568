"""Plays every show and says what was shown; see __init__.py.

    python -m tests.windows FOLDER [SHOW...]

FOLDER is what scripts/windows has made. Words choose the shows whose names hold one of them.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import anyio

from tests.support.tiny_model import write_tiny_model
from tests.windows import programs
from tests.windows.engine_paths import engine_paths
from tests.windows.kills import VICTIMS, kills
from tests.windows.main_job import main_job
from tests.windows.sharing import sharing
from tests.windows.stage import Stage
from tests.windows.wine import Windows

Show = Callable[[Stage], Awaitable[str]]

# Only what hangs; alone on the machine the longest takes a minute and a half.
LIMIT_SECONDS = 1500
SHOWS: dict[str, Show] = {
    "main job, initialize": partial(main_job, era="initialize"),
    "main job, 2026-07-28": partial(main_job, era="2026-07-28"),
    "forms of llama_cpp_path": engine_paths,
    "two llama-mcp share one llama-server": sharing,
    **{f"TerminateProcess of {victim}": partial(kills, victim=victim) for victim in VICTIMS},
    "demo": programs.demo,
    "unit tests": programs.unit_tests,
}


async def main(folder: Path, words: list[str]) -> int:
    """Play the shows and return the exit code."""
    windows = Windows(folder)
    failed = 0
    try:
        for name, show in SHOWS.items():
            if not words or any(word in name for word in words):
                failed += not await _play(windows, name, show)
    finally:
        windows.end()
    return 1 if failed else 0


async def _play(windows: Windows, name: str, show: Show) -> bool:
    """Play one show in a new folder and print a line; tell whether it went well."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="llama mcp ü ", dir=windows.folder) as folder:
        stage = _set(windows, Path(folder))
        try:
            with anyio.fail_after(LIMIT_SECONDS):
                shown = await show(stage)
        except Exception as error:
            print(f"FAILED  {name}: {type(error).__name__}: {error}\n{stage.end_of_log()}")
            windows.end()
            return False
        finally:
            shutil.rmtree(stage.executable.parent)
    print(f"ok      {name} ({time.monotonic() - began:.0f} s): {shown}", flush=True)
    return True


def _set(windows: Windows, folder: Path) -> Stage:
    """Lay llama-server.exe on C: and the model on Z:, in folders with a space and an umlaut."""
    executable = windows.drive_c / "llama cpp ü" / "llama-server.exe"
    shutil.copytree(windows.folder / "llama_cpp", executable.parent, dirs_exist_ok=True)
    model = write_tiny_model(folder / "tiny.gguf", context_length=4096)
    return Stage(windows, folder, executable, model)


if __name__ == "__main__":
    sys.exit(anyio.run(main, Path(sys.argv[1]).resolve(), sys.argv[2:]))
