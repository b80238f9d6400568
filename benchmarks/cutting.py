"""A large text read and cut into pieces in a process of its own, for what that takes.

    python benchmarks/cutting.py FILE

Prints pieces, seconds, and by how many MiB the most that it had in memory grew. Tokens are guessed
from characters: how quick llama-server counts is its own affair.
"""

import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import psutil

PIECE_TOKENS = 3000
CHARACTERS_A_TOKEN = 3.5
_LOOK_EVERY_PIECES = 50


def cut_in_a_process(file: Path) -> dict[str, float]:
    """Return what cutting the file took."""
    command = [sys.executable, __file__, str(file)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


async def _guess(text: str) -> int:
    return int(len(text) / CHARACTERS_A_TOKEN)


async def _blocks(stream: Any) -> AsyncIterator[tuple[int, str]]:
    for block in stream:
        yield block


async def _cut(path: Path) -> dict[str, float]:
    from llama_mcp.files.border import border_of
    from llama_mcp.files.finding import find
    from llama_mcp.files.pieces import Cutter, Measure
    from llama_mcp.files.reading import open_text
    from llama_mcp.settings import Settings

    border = border_of(Settings(), [path.parent])
    (file,) = find([str(path)], border).files
    process = psutil.Process()
    before = most = process.memory_info().rss
    began = time.perf_counter()
    pieces = 0
    with open_text(file, border) as stream:
        async for _ in Cutter().cut(_blocks(stream), Measure(_guess, PIECE_TOKENS)):
            pieces += 1
            if pieces % _LOOK_EVERY_PIECES == 0:
                most = max(most, process.memory_info().rss)
    seconds = time.perf_counter() - began
    return {"pieces": pieces, "seconds": seconds, "growth_mib": (most - before) / 2**20}


if __name__ == "__main__":
    print(json.dumps(anyio.run(_cut, Path(sys.argv[1]))))
