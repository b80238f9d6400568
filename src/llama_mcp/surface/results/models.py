"""Models in words: a line for each, and what a list leaves out."""

from llama_mcp.observing.model_list import ModelList, ModelRow
from llama_mcp.wording import amount_text, counted, size_text


def models_text(models: ModelList) -> str:
    """Return a list of models, a line for each."""
    head = f"{len(models.models)} of {counted(models.total, 'model')}" if models.total else ""
    if head and models.available_bytes:
        head += f", {size_text(models.available_bytes)} available"
    return "\n".join(filter(None, [head, *map(_line, models.models), models.note]))


def _line(row: ModelRow) -> str:
    facts = [
        "running" if row.running else "",
        row.kind,
        size_text(row.size_bytes) if row.size_bytes else "",
        row.quant,
        f"{amount_text(row.parameters)} parameters" if row.parameters else "",
        f"context {row.context_length}" if row.context_length else "",
        "vision" if row.vision else "",
        f"fits: {row.fits}" if row.fits else "",
        f"needs {size_text(row.needs_bytes)}" if row.needs_bytes else "",
        f"max_ctx_size {row.max_ctx_size}" if row.max_ctx_size else "",
        row.source,
    ]
    problem = f" Problem: {row.problem}" if row.problem else ""
    return f"{row.model}  ({', '.join(filter(None, facts))}){problem}"
