"""Which model a caller means: an entry of the operator's, a path, or a name of the library.

An entry is meant by its name in whatever case, or by a beginning of it that no other has. A name of
the library is what a row is called, a model's file name, with or without `.gguf` and in any case,
its place in its program's folder (`publisher/repo/file`), or a beginning or a part of these that
fits one model only.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from llama_mcp.copied_text import plain_text
from llama_mcp.errors import InvalidArgumentError, PathNotAllowedError
from llama_mcp.long_paths import openable
from llama_mcp.models import starter_model
from llama_mcp.models.entries.entry import NamedModel, can_be_name
from llama_mcp.models.errors import ModelUnusableError
from llama_mcp.models.library import Library, Survey
from llama_mcp.models.misnamed import address_refused, missing_refused, no_model_refused
from llama_mcp.models.model import Model
from llama_mcp.models.model_file import check_model_file
from llama_mcp.models.offering import named, nearest, offer
from llama_mcp.models.rows.files import regular_file
from llama_mcp.models.rows.making import NoModel, Row
from llama_mcp.models.rows.names import folded
from llama_mcp.models.shards import without_number
from llama_mcp.paths import absolute_path, check_path, expand_path
from llama_mcp.setting_texts import is_address

_SUFFIX = ".gguf"
_WORD = re.compile(r"[^\W_]+")
# Fewer letters and digits are no part of a name that somebody means.
_SHORTEST = 2

_Fits = Callable[[Row | NoModel], bool]


def find_entry(model_path: str | None, library: Library) -> NamedModel | None:
    """Return the entry of the operator's file that a text means; None when it means none.

    A file or a model of the library that is called just so goes before one whose name only begins
    so. What can only be a path does not need the file.

    Args:
        model_path: what a call passes; without it the setting counts, else the first entry.
        library: finds what else is called so.

    Raises:
        ModelsFileError: the file cannot be read, or is wrong.
        ModelUnusableError: several names begin so.
    """
    plain = plain_text(model_path or "")
    if not plain:
        plain = _default_name(library)
        if not plain:
            return next(iter(library.named_models.all()), None)
    if not can_be_name(plain):
        return None
    entries = library.named_models
    if entry := entries.exactly(plain):
        return entry
    if not entries.beginning(plain) or _is_called_exactly(plain, library):
        return None
    return entries.find(plain)


def entry_model(entry: NamedModel, library: Library, survey: Survey | None = None) -> Model:
    """Return the model of an entry, by the name of the entry; raises as `find_model` does.

    Args:
        entry: it.
        library: finds it.
        survey: what the library has, where that has been looked at already.
    """
    beside = entry.folder / entry.model_path
    there = str(beside) if os.path.exists(openable(str(beside))) else entry.model_path
    return replace(find_model(there, library, survey), name=entry.name, source="models_file")


def entry_models(library: Library) -> list[Model]:
    """Return the models of the operator's entries; those of which there is no file are left out.

    Raises:
        ModelsFileError: the file of entries cannot be read, or is wrong.
    """
    found = []
    for entry in library.named_models.all():
        with suppress(InvalidArgumentError, ModelUnusableError, PathNotAllowedError):
            found.append(entry_model(entry, library))
    return found


def find_model(model_path: str | None, library: Library, survey: Survey | None = None) -> Model:
    """Return the model of the library that a text means; None means the starter model.

    Folders and files are looked at, and one on a network may take long: call it in a thread.

    Raises:
        InvalidArgumentError: no model was named and there is no starter model, or no file can
            have such a name.
        ModelUnusableError: no model fits the name, or several do, or what it means is no model.
        PathNotAllowedError: the file lies outside the folders that the operator allows.
    """
    if not model_path or not model_path.strip():
        return _at(_starter(library), library)
    path = _path(model_path)
    if path is not None and (path.is_file() or path.is_symlink()):
        return _at(path, library)
    survey = survey or library.survey()
    if row := next((row for row in survey.rows if row.model.name == model_path), None):
        return row.model
    if is_address(model_path):
        raise address_refused(model_path, survey, library)
    is_name = path is None or not path.is_absolute()
    wanted = path.as_posix() if path else plain_text(model_path)
    if is_name and (model := _by_name(wanted, survey)):
        return model
    path = path or expand_path("model_path", model_path)  # which says why it is none
    if path.exists():
        return _at(path, library)
    if not is_name or ".." in path.parts:
        # Whether there is something outside the allowed folders is not told either.
        check_path(absolute_path(path), "model_path", library.settings.allowed_paths)
    raise missing_refused(path, survey, library)


def check_is_name(text: str, library: Library) -> None:
    """Raise ModelUnusableError for a text that is no name of an entry or of the library.

    It is for who may not name paths: that which is only a path is not looked for.

    Raises:
        ModelsFileError: it may be an entry's name, and their file is wrong.
    """
    plain = plain_text(text)
    if can_be_name(plain) and library.named_models.beginning(plain):
        return
    survey = library.survey()
    if any(row.model.name == text for row in survey.rows) or _by_name(plain, survey):
        return
    raise ModelUnusableError(plain, "no model has that name", offer(plain, survey.models, library))


def _default_name(library: Library) -> str:
    """Return what the operator's default can be called by; empty without one.

    The name of an entry may have become a path: where llama-mcp works something is called so.
    """
    default = library.settings.model_path or ""
    if default.lower().endswith(_SUFFIX):
        return default
    try:
        is_here = Path(default).parent == Path.cwd()
    except OSError:  # the working folder is gone
        return default
    return Path(default).name if is_here else default


def _is_called_exactly(plain: str, library: Library) -> bool:
    path = _path(plain)
    if path is not None and path.is_file():
        return True
    return any(map(_is_called(plain, folded), library.survey().rows))


def _starter(library: Library) -> Path:
    model = starter_model.starter_model_path()
    if model is None:
        raise InvalidArgumentError(
            "model_path",
            "is missing",
            f"{offer('', library.models(), library)} Or ask the user to install the starter "
            f"model: {starter_model.INSTALL_STARTER}",
        )
    return model


def _path(text: str) -> Path | None:
    try:
        return expand_path("model_path", text)
    except InvalidArgumentError:
        return None


def _at(path: Path, library: Library) -> Model:
    """Return the model that a file is."""
    path = Path(openable(str(absolute_path(path))))
    check_path(path, "model_path", library.settings.allowed_paths)
    survey = library.at(path)
    for row in survey.rows:
        return row.model
    for other in survey.others:
        raise no_model_refused(other)
    check_model_file(path)
    # By its name it would be a part of a model; its header cannot be read.
    status = regular_file(path)
    return Model(str(path), path, status.st_size if status else 0, "path")


def _by_name(wanted: str, survey: Survey) -> Model | None:
    plain = wanted[: -len(_SUFFIX)] if wanted.lower().endswith(_SUFFIX) else wanted
    plain = without_number(plain)  # the file of a part means the whole
    # Of several at the same place in their folders the first counts, as in PATH.
    for row in filter(_has_place(plain), survey.rows):
        return row.model
    whole = [_is_called(plain), _is_called(plain, folded)]
    if model := _only_one(wanted, whole, survey.rows):
        return model
    for fits in whole:
        for other in filter(fits, survey.others):
            raise no_model_refused(other)
    # A whole file name means no longer one.
    return _only_one(wanted, _in_part(plain), survey.rows) if plain == wanted else None


def _only_one(wanted: str, ways: Iterable[_Fits], rows: Sequence[Row]) -> Model | None:
    """Return the model that fits in the first way in which any does."""
    for fits in ways:
        found = [row.model for row in rows if fits(row)]
        if len(found) == 1:
            return found[0]
        if found:
            raise ModelUnusableError(
                wanted,
                f"{len(found)} models fit that name",
                f"Pass one of them: {named(nearest(wanted, found))}.",
            )
    return None


def _has_place(plain: str) -> _Fits:
    return lambda row: plain in row.names


def _is_called(plain: str, spelled: Callable[[str], str] = str) -> _Fits:
    """Tell those of that name, or whose file has it."""
    wanted = spelled(plain)
    return lambda row: any(wanted in (spelled(name), spelled(_stem(name))) for name in row.names)


def _in_part(plain: str) -> Iterator[_Fits]:
    """From what means few to what may fit many."""
    low = folded(plain)
    words = set(_WORD.findall(low))
    # A number or a letter is no part of a name that somebody means.
    if len("".join(words)) < _SHORTEST or not re.search(r"[^\W\d_]", low):
        return
    yield lambda row: any(folded(_stem(name)).startswith(low) for name in row.names)
    yield lambda row: any(folded(name).startswith(low) for name in row.names)
    yield lambda row: any(low in folded(name) for name in row.names)
    yield lambda row: any(words <= set(_WORD.findall(folded(name))) for name in row.names)


def _stem(name: str) -> str:
    return name.rpartition("/")[2]
