"""What an error offers in place of a model that is not there: the nearest names, with sizes."""

import os
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from pathlib import Path

from llama_mcp.models import starter_model
from llama_mcp.models.entries.entry import Entry
from llama_mcp.models.errors import ModelsFileError
from llama_mcp.models.library import Library
from llama_mcp.models.model import Model
from llama_mcp.models.places import model_dirs
from llama_mcp.models.rows.files import look_at
from llama_mcp.models.rows.making import rows_of
from llama_mcp.models.rows.names import folded, shown_name
from llama_mcp.models.shards import without_number
from llama_mcp.wording import first_few, size_text

MODELS_TO_NAME = 5
SETTING = "LLAMA_MCP_MODEL_DIRS"


def gguf_files_in(
    folder: Path, wanted: str = "", depth: int = 0, allowed: Sequence[Path] = ()
) -> str:
    """Return a sentence with the models in a folder, the nearest to a name first, or nothing.

    No header is read: what a file is goes by its name.
    """
    rows, _ = rows_of(look_at(model_dirs.find_in(folder, depth), allowed))
    models = [row.model for row in rows]
    if not models:
        return ""

    def place(model: Model) -> str:
        return shown_name(os.path.relpath(model.path, folder).replace(os.sep, "/"))

    return f"GGUF files in {folder}: {named(nearest(wanted, models), place)}."


def offer(wanted: str, models: Sequence[Model], library: Library) -> str:
    """Return what can be passed instead, and what is wrong with the model folders."""
    entries = _entries(library)
    known = [model for model in _by_other_names(models, entries) if not model.problem]
    missing = [str(folder) for folder in library.settings.model_dirs if not os.path.isdir(folder)]
    sentences = []
    if entries:
        names = first_few([entry.name for entry in entries], MODELS_TO_NAME)
        sentences.append(f"Models that the operator has named: {names}.")
    if known:
        sentences.append(f"Models that can be named: {named(nearest(wanted, known))}.")
    if missing:
        sentences.append(
            f"{' and '.join(missing)} of {SETTING}, which the operator has set, "
            f"{'does' if len(missing) == 1 else 'do'} not exist."
        )
    if default := _default_name(library):
        sentences.append(f"The default is {default}.")
    elif not known:
        sentences.append("Ask the user for the path of a GGUF file.")
    return " ".join(sentences)


def nearest(wanted: str, models: Sequence[Model]) -> list[Model]:
    """Return the models, those first whose names are most alike."""
    low = folded(wanted.rpartition("/")[2])

    def distance(model: Model) -> float:
        if not low:
            return 0.0
        return -SequenceMatcher(None, low, folded(model.name.rpartition("/")[2])).ratio()

    return sorted(models, key=distance)


def not_called_as_entries(library: Library) -> list[Model]:
    """Return the models that are no entries, by names that mean them: an entry's means the entry.

    Folders and files are looked at.
    """
    return _by_other_names(library.models(), _entries(library))


def named(models: Sequence[Model], name: Callable[[Model], str] = lambda model: model.name) -> str:
    """Return some models with their sizes, and how many more there are."""
    texts = [f"{name(model)} ({size_text(model.size_bytes)})" for model in models]
    return first_few(texts, MODELS_TO_NAME)


def _by_other_names(models: Sequence[Model], entries: Sequence[Entry]) -> list[Model]:
    taken = {folded(entry.name) for entry in entries}
    return [model for model in models if folded(model.name) not in taken]


def _entries(library: Library) -> Sequence[Entry]:
    """Return the operator's entries; of a wrong file of them, those who need it tell."""
    try:
        return library.named_models.all()
    except ModelsFileError:
        return ()


def _default_name(library: Library) -> str | None:
    entries, default_path = _entries(library), library.settings.model_path
    if entries and not default_path:
        return entries[0].name
    if default_path and any(folded(entry.name) == folded(default_path) for entry in entries):
        return default_path
    if default_path:
        default = library.default_file()
        return shown_name(without_number(default.stem)) if default else None
    starter = starter_model.starter_model_path()
    return f"the starter model {starter.stem}" if starter else None
