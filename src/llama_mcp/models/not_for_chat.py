"""Models that have no replies: what they are, and what is there instead."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from llama_mcp.models.errors import ModelsFileError
from llama_mcp.models.facts import Kind
from llama_mcp.models.library import Library
from llama_mcp.models.model import Model
from llama_mcp.models.naming import entry_models, find_entry
from llama_mcp.models.offering import MODELS_TO_NAME, named, not_called_as_entries
from llama_mcp.paths import is_same_file

CANNOT_CHAT: dict[Kind, str] = {
    "embedding": "an embedding model, which makes vectors of texts",
    "rerank": "a rerank model, which tells how well texts answer a query",
}


def models_that_chat(library: Library) -> str:
    """Return the names of some models that have replies, with their sizes; files are looked at."""
    able = (model for model in _all(library) if model.facts and model.facts.kind == "chat")
    return named(list(islice(able, MODELS_TO_NAME)))


def models_that_rank(library: Library) -> list[Model]:
    """Return the embedding and rerank models, the operator's first; files are looked at."""
    return list(filter(_ranks, _all(library)))


def choice_for_ranking(library: Library) -> list[Model]:
    """Return the models among which a ranking has to choose when none is named.

    The default if it ranks, else those that the operator has named, else all.

    Raises:
        ModelsFileError: the file of named models is wrong.
    """
    if models := list(filter(_ranks, entry_models(library))):
        default_entry = find_entry(None, library)
        is_default = [
            model for model in models if default_entry and model.name == default_entry.name
        ]
        return is_default or models
    models = models_that_rank(library)
    default = library.default_file()
    return [model for model in models if default and is_same_file(model.path, default)] or models


def _ranks(model: Model) -> bool:
    return bool(model.facts and model.facts.kind in CANNOT_CHAT and not model.problem)


def _all(library: Library) -> Iterator[Model]:
    """Give the models that can be loaded; of a wrong file of named models others tell."""
    with suppress(ModelsFileError):
        yield from entry_models(library)
    yield from (model for model in not_called_as_entries(library) if not model.problem)
