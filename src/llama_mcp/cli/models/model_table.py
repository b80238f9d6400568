"""Models in lines as wide as the terminal; pure."""

from collections.abc import Iterator

from llama_mcp.cli.display.columns import Column, table, wrapped
from llama_mcp.cli.terminal import Colour, Terminal
from llama_mcp.observing.model_list import ModelList, ModelRow
from llama_mcp.wording import counted, size_text

# What matters most comes first: a narrow terminal shows no more.
_COLUMNS = (
    Column("MODEL", is_flexible=True),
    Column("FITS"),
    Column("NEEDS", is_number=True),
    Column("SIZE", is_number=True),
    Column("QUANT"),
    Column("KIND"),
    Column("CONTEXT", is_number=True),
    Column("SOURCE"),
)
_FITS = {
    "gpu": "gpu",
    "partly_gpu": "partly",
    "cpu": "cpu",
    "workers": "workers",
    "no": "no",
    None: "?",
}


def model_lines(models: ModelList, terminal: Terminal) -> list[str]:
    """Return a table of models, and below it what is wrong with some of them."""
    lines = []
    if models.models:
        head, *rows = table(_COLUMNS, [*map(_row, models.models)], terminal.columns)
        lines = [terminal.coloured(head, Colour.BOLD), *rows]
    return [*lines, *wrapped(_remarks(models), terminal.columns)]


def _row(row: ModelRow) -> tuple[str, ...]:
    return (
        row.model,
        "running" if row.running else "broken" if row.problem else _FITS[row.fits],
        size_text(row.needs_bytes) if row.needs_bytes else "",
        size_text(row.size_bytes) if row.size_bytes else "",
        row.quant or "",
        (row.kind or "") + (", vision" if row.vision else ""),
        str(row.context_length or ""),
        row.source,
    )


def _remarks(models: ModelList) -> Iterator[str]:
    for row in models.models:
        if row.problem:
            yield f"{row.model}: {row.problem}"
    if models.models and models.available_bytes:
        room = size_text(models.available_bytes)
        yield f"{counted(models.total, 'model')}; a model may take {room} of memory."
    if models.note:
        yield models.note
    if not models.total:
        yield "To get one: llama-mcp models pull ggml-org/gemma-3-1b-it-GGUF"
