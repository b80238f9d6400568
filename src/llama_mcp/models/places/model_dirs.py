"""The operator's folders, with their subfolders, whatever program has filled them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from llama_mcp.models.places import huggingface, ollama
from llama_mcp.models.places.folders import MAX_DEPTH, gguf_files, plain_name, subfolders
from llama_mcp.models.places.found import Found


def find(folders: Sequence[Path]) -> Iterator[Found]:
    """Give the files of the folders, in their order."""
    for folder in folders:
        yield from find_in(folder)


def find_in(folder: Path, depth: int = MAX_DEPTH) -> Iterator[Found]:
    """Give the files below one folder, by the names that a program has for them."""
    if depth:
        yield from (replace(found, source="model_dirs") for found in _of_programs(folder))
    for path in gguf_files(folder, depth):
        place = path.relative_to(folder)
        if not _is_of_program(place):
            yield Found(path, plain_name(place), "model_dirs", path.parent)


def _of_programs(folder: Path) -> Iterator[Found]:
    """Give what a program has a better name for than the place: one of its folders was named."""
    if ollama.is_store(folder):
        yield from ollama.models_in(folder)
    for repository in subfolders(folder):
        if repository.name.startswith(huggingface.PREFIX):
            yield from huggingface.files_of(repository)


def _is_of_program(place: Path) -> bool:
    return place.parts[0].startswith(huggingface.PREFIX) and "snapshots" in place.parts[1:2]
