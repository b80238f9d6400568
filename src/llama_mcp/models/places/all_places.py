"""Every place that models are looked for in, in the order in which one file found twice counts."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from llama_mcp.models import starter_model
from llama_mcp.models.places import (
    gpt4all,
    huggingface,
    jan,
    llama_cpp,
    lm_studio,
    model_dirs,
    ollama,
)
from llama_mcp.models.places.folders import plain_name
from llama_mcp.models.places.found import Found
from llama_mcp.models.places.surroundings import Surroundings
from llama_mcp.setting_values import ModelPlace

PROGRAMS: dict[ModelPlace, Callable[[Surroundings], Iterator[Found]]] = {
    "huggingface": huggingface.find,
    "llama.cpp": llama_cpp.find,
    "lm-studio": lm_studio.find,
    "ollama": ollama.find,
    "jan": jan.find,
    "gpt4all": gpt4all.find,
}


def find_all(
    folders: Sequence[Path],
    default: Path | None,
    places: Collection[ModelPlace],
    surroundings: Surroundings,
) -> Iterator[Found]:
    """Give every file, the operator's first.

    Args:
        folders: The operator's.
        default: The file that is taken when none is named.
        places: The programs that are looked at.
        surroundings: What says where these keep their files.
    """
    yield from model_dirs.find(folders)
    if default is not None:
        yield Found(default, plain_name(Path(default.name)), "path", default.parent)
    starter = starter_model.starter_model_path()
    if starter is not None:
        yield Found(starter, plain_name(Path(starter.name)), "starter", starter.parent)
    for place, find in PROGRAMS.items():
        if place in places:
            yield from find(surroundings)
