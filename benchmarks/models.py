"""What it costs to know the models of a machine.

    python benchmarks/models.py [--rounds 5] [--quick]

Headers: the processor time of reading one with the vocabulary and the merges of Gemma 3, and one
with those of Llama 3, against llama.cpp's own Python reader of the same file in the same round.
Then the same facts out of the file where they are kept for other processes.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import gguf
from measuring.rows import Goal, Row, print_table
from measuring.scene import read_arguments, scratch_folder

from llama_mcp.models.gguf.known_facts import KnownFacts
from llama_mcp.models.gguf.reading import read_facts

TOKENS, MERGES = 262_208, 261_000
LARGE = Row("header, 262k tokens and 261k merges", goals=[Goal("value", at_most=50)])
SMALL = Row("header, 128k tokens and 127k merges")
KEPT = Row("facts that another process has kept", goals=[Goal("ratio", at_most=0.2)])


def processor_milliseconds(action: Callable[[Path], object], path: Path) -> float:
    """Return how much processor time an action on a file takes in this process."""
    began = time.process_time()
    action(path)
    return (time.process_time() - began) * 1000


def write_models(folder: Path) -> tuple[Path, Path]:
    """Write sparse files of true shapes: one with a large vocabulary, one with a usual one."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from tests.support.gguf_shapes import write_gemma_27b, write_llama_8b

    large = write_gemma_27b(folder / "gemma.gguf", vocabulary=TOKENS, merges=MERGES)
    return large, write_llama_8b(folder / "llama.gguf", merges=127_000)


def measure_headers(large: Path, small: Path, rounds: int) -> None:
    """Read each header as often as there are rounds, by turns with the official reader."""
    for _ in range(rounds):
        for row, path in ((LARGE, large), (SMALL, small)):
            ours = processor_milliseconds(read_facts, path)
            row.add(ours, processor_milliseconds(gguf.GGUFReader, path))


def measure_kept(large: Path, cache_file: Path, rounds: int) -> None:
    """Ask for facts that another process has kept, by turns with reading the header."""
    known = KnownFacts(cache_file)
    known.of(large)
    known.save()
    for _ in range(rounds):
        ours = processor_milliseconds(lambda path: KnownFacts(cache_file).of(path), large)
        KEPT.add(ours, processor_milliseconds(read_facts, large))


def main() -> None:
    """Read the arguments and measure."""
    arguments = read_arguments(__doc__, rounds=5, quick=1)
    with scratch_folder() as folder:
        large, small = write_models(folder)
        measure_headers(large, small, arguments.rounds)
        measure_kept(large, folder / "models.json", arguments.rounds)
        print_table("processor time", "gguf.GGUFReader", [LARGE, SMALL])
        print_table("processor time", "reading the header", [KEPT])


if __name__ == "__main__":
    main()
