"""Models that have no replies: what they are, and what is there instead."""

from itertools import islice

from llama_mcp.models.facts import Kind
from llama_mcp.models.library import Library
from llama_mcp.models.model import Model
from llama_mcp.models.offering import MODELS_TO_NAME, named

CANNOT_CHAT: dict[Kind, str] = {
    "embedding": "an embedding model, which makes vectors of texts",
    "rerank": "a rerank model, which tells how well texts answer a query",
}


def models_that_chat(library: Library) -> str:
    """Return the names of some models that have replies, with their sizes; files are looked at."""
    able = (
        model
        for model in library.models()
        if model.facts and model.facts.kind == "chat" and not model.problem
    )
    return named(list(islice(able, MODELS_TO_NAME)))


def models_that_rank(library: Library) -> list[Model]:
    """Return the embedding and rerank models, the operator's first; files are looked at."""
    return [
        model
        for model in library.models()
        if model.facts and model.facts.kind in CANNOT_CHAT and not model.problem
    ]
