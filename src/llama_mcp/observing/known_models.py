"""Which models there are, whether they fit, and which one runs, as tools and resources ask for it.

Nothing is started for it, and nothing outside this machine is asked.
"""

from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.runs.run_state import RunState
from llama_mcp.models.entries.entry import NamedModel
from llama_mcp.models.errors import ModelsFileError, ModelUnusableError
from llama_mcp.models.rows.names import folded
from llama_mcp.observing.model_list import (
    ModelDetails,
    ModelList,
    ModelRow,
    best_first,
    matching,
    missing_row,
    row_of,
    told_list,
    why_none,
)
from llama_mcp.observing.remote_rows import remote_details, remote_rows
from llama_mcp.paths import is_same_file
from llama_mcp.reading_settings import missing_folders

if TYPE_CHECKING:
    from llama_mcp.llama_server.engines import Engines
    from llama_mcp.llama_server.remote.engine import RemoteEngine
    from llama_mcp.llama_server.remote.look import RemoteLook
    from llama_mcp.llama_server.runs.records import Launch
    from llama_mcp.models.entries.entry import Entry
    from llama_mcp.models.fitting import Fits
    from llama_mcp.models.library import Library, Survey
    from llama_mcp.models.model import Model
    from llama_mcp.settings import LlamaServerSettings

# What of an entry changes how much memory its model takes, or which there is.
_OF_NEEDS = frozenset(
    {"llama_cpp_path", "ctx_size", "parallel", "n_gpu_layers", "extra_args", "rpc_servers"}
)


class KnownModels:
    """The models of this machine, together with what is known of memory and llama-server."""

    def __init__(
        self, settings: "LlamaServerSettings", library: "Library", engines: "Engines"
    ) -> None:
        """Take where they come from.

        Args:
            settings: the operator's.
            library: finds the models.
            engines: know which one runs, and what somebody else's have.
        """
        self._settings = settings
        self._library = library
        self._engines = engines

    async def list(self, query: str, limit: int) -> ModelList:
        """Return the models that a query finds, the best first; all of them without a query.

        Where the operator's file of models is wrong, a note says so, and the models have the paths
        of their files for names: these are taken without that file.
        """
        self._settings.check(("model_dirs", "model_places", "allowed_paths", "models"))
        look = await self._look()
        # In a thread: folders are looked at, and one on a network may take long.
        return await anyio.to_thread.run_sync(self._list, query, limit, look)

    async def details(self, name: str) -> ModelDetails:
        """Return one model of the list.

        Raises:
            ModelUnusableError: no model has that name.
            ModelsFileError: it may be one of the operator's names, and their file is wrong.
        """
        look = await self._look()
        return await anyio.to_thread.run_sync(self._details, name, look)

    async def check_is_name(self, text: str) -> None:
        """Raise a LlamaMCPError for a text that names no model; what is only a path names none."""
        from llama_mcp.models.naming import check_is_name

        started = map(str.casefold, await self._engines.own.started_models())
        if text.strip().casefold() in started or await self._engines.is_elsewhere(text):
            return
        try:
            await anyio.to_thread.run_sync(check_is_name, text, self._library)
        except ModelUnusableError:
            await self._engines.elsewhere.check_reached()  # else nobody knows what it has
            raise

    async def names(self, part: str) -> tuple[str, ...]:
        """Return the names that begin with a text, then those that contain it."""
        elsewhere = await self._engines.elsewhere.names()
        return await anyio.to_thread.run_sync(self._names, part, elsewhere)

    async def mark(self) -> Hashable:
        """Return a value that is another one once a model has come, gone or changed."""
        # Abandoned at the end: a folder on a network that hangs must not keep the process.
        return await anyio.to_thread.run_sync(self._mark, abandon_on_cancel=True)

    async def _look(self) -> "_Look":
        entries, wrong_file = await anyio.to_thread.run_sync(self._entries)
        elsewhere = await self._engines.elsewhere.look_at_all()
        own = [entry for entry in entries if entry.given & _OF_NEEDS]
        fits, *fits_of_own = await self._engines.own.fits_of([None, *own])
        seen = await self._engines.own.observe_all()
        judges = {entry.name: judge for entry, judge in zip(own, fits_of_own, strict=True)}
        named = [(entry, judges.get(entry.name, fits)) for entry in entries]
        up = [each for each in seen if isinstance(each, RunState) and each.pid is not None]
        return _Look(fits, named, [each.run.launch for each in up], wrong_file, elsewhere)

    def _entries(self) -> "tuple[Sequence[NamedModel], ModelsFileError | None]":
        """Return the entries of models of this machine, or what is wrong with their file."""
        try:
            return self._library.named_models.own(), None
        except ModelsFileError as error:
            return (), error

    def _details(self, name: str, look: "_Look") -> ModelDetails:
        from llama_mcp.models.offering import named, nearest

        for row, there in look.remote:
            if folded(row.model) == folded(name):
                return self._with_own_entry(remote_details(row, there))
        survey = self._library.survey()
        models = look.others(survey.models)
        for entry, fits in look.named:
            if folded(entry.name) == folded(name):
                found = self._model_of(entry, survey)
                row = look.entry_row(entry, fits, found)
                return _with_entry(_detailed(row, found), entry)
        for model in models:
            if model.name == name:
                return _detailed(look.row(model), model)
        if look.wrong_file:
            raise look.wrong_file
        like = named(nearest(name, models))
        advice = f"The nearest are: {like}." if like else "There is no model."
        raise ModelUnusableError(name, "no model of the list has that name", advice)

    def _list(self, query: str, limit: int, look: "_Look") -> ModelList:
        survey = self._library.survey()
        rows = [
            look.entry_row(entry, fits, self._model_of(entry, survey)) for entry, fits in look.named
        ]
        rows += [row for row, _ in look.remote]
        rows += map(look.row, look.others(survey.models))
        for file in look.unnamed_files:
            # It was started by its path, and lies where nobody looks.
            if not any(is_same_file(file, model.path) for model in survey.models):
                rows += map(look.row, self._library.at(file).models)
        found, has_all_words = matching(best_first(rows), query)
        wrong = [look.wrong_file.situation] if look.wrong_file else []
        wrong += look.out_of_reach
        if not found:
            why = why_none(query, len(rows), self._settings)
            return ModelList(
                total=0, note=" ".join([*wrong, why, *missing_folders(self._settings)])
            )
        available_bytes = look.fits.available.total_bytes
        told = told_list(found, available_bytes, limit, has_all_words=has_all_words)
        note = " ".join(filter(None, [*wrong, told.note]))
        return told.model_copy(update={"note": note or None})

    def _with_own_entry(self, details: ModelDetails) -> ModelDetails:
        """Return the details of a model elsewhere with what the operator's file says of it."""
        with suppress(ModelsFileError):
            entry = self._library.named_models.exactly(details.model)
            return details if entry is None else _with_entry(details, entry)
        return details

    def _model_of(self, entry: NamedModel, survey: "Survey") -> "Model | LlamaMCPError":
        """Return the model of an entry, or why there is none."""
        from llama_mcp.models.naming import entry_model

        try:
            return entry_model(entry, self._library, survey)
        except LlamaMCPError as error:
            return error

    def _names(self, part: str, elsewhere: "Sequence[str]") -> tuple[str, ...]:
        models = [*elsewhere, *(model.name for model in self._library.models())]
        with suppress(ModelsFileError):  # what is wrong, a call says
            models = [*(entry.name for entry in self._library.named_models.all()), *models]
        low = part.casefold()
        found = [name for name in dict.fromkeys(models) if low in name.casefold()]
        return tuple(sorted(found, key=lambda name: not name.casefold().startswith(low)))

    def _mark(self) -> Hashable:
        try:
            named: Hashable = self._library.named_models.all()
        except ModelsFileError as error:
            named = error.problems
        models = self._library.models()
        return named, frozenset((str(model.path), model.size_bytes) for model in models)


@dataclass(frozen=True, slots=True)
class _Look:
    """What is known of memory and llama-server at one moment."""

    fits: "Fits"
    named: "Sequence[tuple[NamedModel, Fits]]"
    """The operator's entries, each with what judges it."""
    running: "Sequence[Launch]"
    wrong_file: ModelsFileError | None
    """What is wrong with the file of entries."""
    elsewhere: "Sequence[tuple[RemoteEngine, RemoteLook]]" = ()
    """The engines that somebody else runs."""

    @property
    def remote(self) -> "list[tuple[ModelRow, RemoteLook]]":
        """The models elsewhere, each with what its engine has told."""
        return [(row, look) for engine, look in self.elsewhere for row in remote_rows(engine, look)]

    @property
    def out_of_reach(self) -> list[str]:
        """Why engines elsewhere have no row."""
        looks = [look for engine, look in self.elsewhere if not [*remote_rows(engine, look)]]
        return [look.problem.situation for look in looks if look.problem]

    @property
    def unnamed_files(self) -> list[Path]:
        """The files of the models that run by no name of the operator's."""
        names = [entry.name for entry, _ in self.named]
        launches = [launch for launch in self.running if launch.alias not in names]
        return [Path(launch.config.model_path or "") for launch in launches]

    def others(self, models: "Sequence[Model]") -> "list[Model]":
        """Return models by names that no entry has: of one that has, its path is left.

        Where the entries are not known, any name could be one of theirs.
        """
        elsewhere = [row.model for row, _ in self.remote]
        taken = {folded(name) for name in [*elsewhere, *(entry.name for entry, _ in self.named)]}
        return [
            replace(model, name=str(model.path))
            if self.wrong_file or folded(model.name) in taken
            else model
            for model in models
        ]

    def row(self, model: "Model") -> ModelRow:
        """Return the row of a model that is no entry."""
        is_running = any(is_same_file(model.path, file) for file in self.unnamed_files)
        return _row(model, self.fits, is_running=is_running)

    def entry_row(
        self, entry: NamedModel, fits: "Fits", model: "Model | LlamaMCPError"
    ) -> ModelRow:
        """Return the row of an entry."""
        is_running = any(launch.alias == entry.name for launch in self.running)
        if isinstance(model, LlamaMCPError):
            return missing_row(entry.name, _problem(model), is_running=is_running)
        return _row(model, fits, is_running=is_running)


def _row(model: "Model", fits: "Fits", *, is_running: bool) -> ModelRow:
    sight = model.projector_facts
    return row_of(
        model,
        fits.of(model, _size(model.projector)),
        has_vision=sight is not None and sight.vision,
        is_running=is_running,
    )


def _problem(error: LlamaMCPError) -> str:
    if isinstance(error, ModelUnusableError):
        return f"{error.path}: {error.problem}"
    return error.situation


def _detailed(row: ModelRow, model: "Model | LlamaMCPError") -> ModelDetails:
    if isinstance(model, LlamaMCPError):
        return ModelDetails(**row.model_dump())
    projector = str(model.projector) if model.projector else None
    return ModelDetails(**row.model_dump(), path=str(model.path), projector=projector)


def _with_entry(details: ModelDetails, entry: "Entry") -> ModelDetails:
    given = {name: getattr(entry, name) for name in sorted(entry.given - {"name"})}
    return details.model_copy(update={"models_file": str(entry.file), "entry": given})


def _size(path: Path | None) -> int:
    with suppress(OSError):
        return path.stat().st_size if path else 0
    return 0
