"""Which models there are, as a caller chooses among them: the best first; pure."""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from llama_mcp.models.facts import Kind
from llama_mcp.models.fitting import Fit, Verdict
from llama_mcp.models.model import Model, Source
from llama_mcp.models.rows.names import folded
from llama_mcp.settings import LlamaServerSettings
from llama_mcp.wording import counted, shortened

_WORD = re.compile(r"[^\W_]+")
_SHOWN_CHARACTERS = 100
# The ending of a file's name, which a row's name does not have: all are that.
_EVERY_ONE = "gguf"
# What is shorter is part of too many words.
_LEAST_INSIDE = 3
# What somebody may look for.
_KIND_WORDS = {"embedding": "embedding embeddings", "rerank": "rerank reranker reranking"}
_VISION_WORDS = "vision pictures images"
# Of those that fit as well, what can chat comes first.
_KINDS: tuple[Kind | None, ...] = ("chat", "base", "embedding", "rerank", None)
_FITS: tuple[Verdict | None, ...] = ("gpu", "partly_gpu", "cpu", "workers", None, "no")


class ModelRow(BaseModel, frozen=True):
    """A model; what is not known, or not the case, is left out."""

    model: str
    """What start_llama_server takes as model_path."""
    kind: Kind | None = None
    size_bytes: int
    quant: str | None = None
    parameters: int | None = None
    context_length: int | None = None
    """Tokens that it was trained for."""
    vision: bool | None = None
    fits: Verdict | None = None
    needs_bytes: int | None = None
    """With the ctx_size and parallel of a start that says nothing else."""
    max_ctx_size: int | None = None
    """The largest that fits, with that parallel."""
    source: Source
    running: bool | None = None
    problem: str | None = None
    """Why llama-server cannot load it."""


class ModelList(BaseModel, frozen=True):
    """Models, the best first."""

    available_bytes: int | None = None
    """Memory for a model, that of the running one included."""
    models: tuple[ModelRow, ...] = ()
    total: int
    """How many there are, or match."""
    note: str | None = None


class ModelDetails(ModelRow, frozen=True):
    """A model with its files."""

    path: str | None = None
    projector: str | None = None
    models_file: str | None = None
    """Where the operator has named it."""
    entry: dict[str, Any] | None = None
    """What is set for it there."""
    url: str | None = None
    """Where the engine is that somebody else runs."""


def told_list(
    found: Sequence[ModelRow], available_bytes: int | None, limit: int, *, has_all_words: bool
) -> ModelList:
    """Return the first models of those that were found, and how to get the others.

    Args:
        found: all of them.
        available_bytes: memory for a model.
        limit: how many are told.
        has_all_words: whether they have all words of the query.
    """
    more = len(found) - limit
    notes = [] if has_all_words else ["None has all words of the query; these have most."]
    if more > 0:
        notes.append(f"{more} more: pass limit={len(found)}, or a query.")
    return ModelList(
        available_bytes=available_bytes,
        models=tuple(found[:limit]),
        total=len(found),
        note=" ".join(notes) or None,
    )


def why_none(query: str, count: int, settings: LlamaServerSettings) -> str:
    """Return why a list is empty, in sentences: what it was looked for, and where."""
    if count:
        asked, are = shortened(query, _SHOWN_CHARACTERS), "is" if count == 1 else "are"
        models = counted(count, "model")
        return f"Nothing matches {asked!r}; without a query there {are} {models}."
    own = ", ".join(map(str, settings.model_dirs)) or "none"
    others = ", ".join(settings.model_places) or "none"
    allowed = ", ".join(map(str, settings.allowed_paths))
    sentences = [
        "There is no model.",
        f"Folders of LLAMA_MCP_MODEL_DIRS: {own}.",
        f"Programs of LLAMA_MCP_MODEL_PLACES, whose folders were looked at: {others}.",
        *([f"Only {allowed} of LLAMA_MCP_ALLOWED_PATHS counts."] if allowed else []),
        "Ask the user for a GGUF file, or for the folder of them.",
    ]
    return " ".join(sentences)


def row_of(model: Model, fit: Fit | None, *, has_vision: bool, is_running: bool) -> ModelRow:
    """Return the row of a model."""
    facts = model.facts
    return ModelRow(
        model=model.name,
        kind=facts.kind if facts else None,
        size_bytes=model.size_bytes,
        quant=facts.quant if facts else None,
        parameters=(facts.parameters or None) if facts else None,
        context_length=facts.context_length if facts else None,
        vision=has_vision or None,
        fits=fit.fits if fit else None,
        needs_bytes=fit.needs_bytes if fit else None,
        max_ctx_size=fit.max_ctx_size if fit else None,
        source=model.source,
        running=is_running or None,
        problem=model.problem,
    )


def missing_row(name: str, problem: str, *, is_running: bool) -> ModelRow:
    """Return the row of a model that the operator has named, and of which there is no file."""
    return ModelRow(
        model=name,
        size_bytes=0,
        source="models_file",
        running=is_running or None,
        problem=problem,
    )


def best_first(rows: Sequence[ModelRow]) -> list[ModelRow]:
    """Return what runs, then what the operator has named in its order, then what fits best.

    What engines elsewhere have is named by the operator, too.

    Of what fits as well, what can chat comes first, and the largest.
    """

    def rank(row: ModelRow) -> tuple[bool, bool, bool, int, int, int]:
        # What cannot be loaded comes last, whatever it would need.
        is_named = row.source in ("models_file", "remote")
        has_problem = row.problem is not None
        if is_named:
            return (not row.running, False, has_problem, 0, 0, 0)
        return (
            not row.running,
            True,
            has_problem,
            _FITS.index(row.fits),
            _KINDS.index(row.kind),
            -row.size_bytes,
        )

    return sorted(rows, key=rank)


def matching(rows: Sequence[ModelRow], query: str) -> tuple[list[ModelRow], bool]:
    """Return the rows that have all words of a query, else those with most, and whether it is all.

    What runs stays first; of the others those that have the words as whole words come before those
    in whose words they are only a part.
    """
    wanted = [word for word in _words(query) if word != _EVERY_ONE]
    if not wanted:
        return list(rows), True
    texts = [_text(row) for row in rows]
    counts = [sum(_has(word, text) for word in wanted) for text in texts]
    most = max(counts, default=0)
    found = [
        (len(set(wanted) & set(_words(text))), row)
        for row, text, count in zip(rows, texts, counts, strict=True)
        if count == most and count
    ]
    found.sort(key=lambda pair: (not pair[1].running, -pair[0]))
    return [row for _, row in found], most == len(wanted)


def _has(word: str, text: str) -> bool:
    """Tell whether a text has a word, or one that begins so or, if it is no short one, contains it.

    `8b` is no part of `18b`, but `coder` one of `deepseekcoder`.
    """
    if len(word) >= _LEAST_INSIDE and word.isalpha():
        return word in folded(text)
    return any(each.startswith(word) for each in _words(text))


def _words(text: str) -> list[str]:
    return _WORD.findall(folded(text))


def _text(row: ModelRow) -> str:
    """Return what a query is looked for in."""
    kind = _KIND_WORDS.get(row.kind or "", row.kind)
    sight = _VISION_WORDS if row.vision else None
    return " ".join(filter(None, (row.model, kind, row.quant, row.source, sight)))
