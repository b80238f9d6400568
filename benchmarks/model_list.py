"""What it takes to know which models there are: 200 of them, with the vocabularies of real ones.

    python benchmarks/model_list.py [--rounds 5] [--quick]

First with nothing known of any header, then as the same process and as another one ask again. The
baseline reads the names and sizes of the same files, and nothing else.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from measuring.rows import Goal, Row, print_table
from measuring.scene import read_arguments, scratch_folder

from llama_mcp.models.gguf.known_facts import KnownFacts
from llama_mcp.models.gguf.reading import read_facts
from llama_mcp.models.library import Library
from llama_mcp.models.places.surroundings import Surroundings
from llama_mcp.settings import LlamaServerSettings

MODELS = 200
MERGES = 127_000
FIRST = Row("200 models, first", goals=[Goal("value", at_most=1000)])
AGAIN = Row("200 models, again", goals=[Goal("value", at_most=100)])
ANOTHER = Row("200 models, another process, again", goals=[Goal("value", at_most=100)])


def write_models(folder: Path) -> None:
    """Write models of a true shape with the vocabulary of Llama 3; their weights are holes."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from tests.support.gguf_shapes import write_llama_8b

    header = write_llama_8b(folder / "one.gguf", merges=MERGES)
    size_bytes = header.stat().st_size
    with header.open("rb") as file:
        content = file.read(read_facts(header).header_bytes)
    for number in range(MODELS):
        path = folder / f"publisher-{number % 10}" / f"Model-{number}-GGUF" / f"Model-{number}.gguf"
        path.parent.mkdir(parents=True)
        with path.open("wb") as copy:
            copy.write(content)
            copy.truncate(size_bytes)
    header.unlink()


def processor_milliseconds(action: Callable[[], object]) -> float:
    """Return how much processor time an action takes in this process."""
    began = time.process_time()
    action()
    return (time.process_time() - began) * 1000


def names_and_sizes(folder: Path) -> list[tuple[str, int]]:
    """Return what the folder holds."""
    return [
        (name, os.stat(os.path.join(here, name)).st_size)
        for here, _, names in os.walk(folder)
        for name in names
    ]


def measure(folder: Path, kept: Path) -> None:
    """List the models as a process that knows nothing, as the same one, and as another one."""
    settings = LlamaServerSettings(model_dirs=(folder,))
    alone = Surroundings(sys.platform, {}, None, folder / "nothing")

    def listed(library: Library) -> float:
        return processor_milliseconds(library.models)

    kept.unlink(missing_ok=True)
    library = Library(settings, KnownFacts(kept), alone)
    baseline = processor_milliseconds(lambda: names_and_sizes(folder))
    FIRST.add(listed(library), baseline)
    AGAIN.add(listed(library), baseline)
    ANOTHER.add(listed(Library(settings, KnownFacts(kept), alone)), baseline)


def main() -> None:
    """Read the arguments and measure."""
    arguments = read_arguments(__doc__, rounds=5, quick=1)
    with scratch_folder() as folder:
        models = folder / "models"
        models.mkdir()
        write_models(models)
        for _ in range(arguments.rounds):
            measure(models, folder / "model-facts.json")
        shutil.rmtree(models)
    print_table("processor time", "names and sizes alone", [FIRST, AGAIN, ANOTHER])


if __name__ == "__main__":
    main()
