"""GPT4All: all files in one folder."""

from collections.abc import Iterator
from pathlib import Path

from llama_mcp.models.places.folders import gguf_files, plain_name
from llama_mcp.models.places.found import Found
from llama_mcp.models.places.surroundings import Surroundings, below


def find(surroundings: Surroundings) -> Iterator[Found]:
    """Give what lies in the folders of the program and of its Python package."""
    for folder in folders(surroundings):
        for path in gguf_files(folder, depth=0):
            yield Found(path, plain_name(Path(path.name)), "gpt4all", folder)


def folders(surroundings: Surroundings) -> list[Path]:
    """Return the program's folder on the platform, and that of its Python package."""
    if surroundings.platform == "darwin":
        data = surroundings.below_home("Library", "Application Support")
    elif surroundings.platform == "win32":
        data = surroundings.local()
    else:
        data = surroundings.variable("XDG_DATA_HOME") or surroundings.below_home(".local", "share")
    package = below(surroundings.home, ".cache", "gpt4all")
    return [*below(data, "nomic.ai", "GPT4All"), *package]
