"""Which models there are, whether they fit, and which one runs, as tools and resources ask for it.

Nothing is started for it, and nothing outside this machine is asked.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from llama_mcp.llama_server.runs.run_state import RunState
from llama_mcp.models.errors import ModelUnusableError
from llama_mcp.observing.model_list import (
    ModelDetails,
    ModelList,
    ModelRow,
    best_first,
    matching,
    row_of,
    told_list,
    why_none,
)
from llama_mcp.paths import is_same_file
from llama_mcp.reading_settings import missing_folders

if TYPE_CHECKING:
    from llama_mcp.llama_server.supervisor import Supervisor
    from llama_mcp.models.fitting import Fits
    from llama_mcp.models.library import Library
    from llama_mcp.models.model import Model
    from llama_mcp.settings import LlamaServerSettings


class KnownModels:
    """The models of this machine, together with what is known of memory and llama-server."""

    def __init__(
        self, settings: "LlamaServerSettings", library: "Library", supervisor: "Supervisor"
    ) -> None:
        """Take where they come from.

        Args:
            settings: the operator's.
            library: finds the models.
            supervisor: knows which one runs.
        """
        self._settings = settings
        self._library = library
        self._supervisor = supervisor

    async def list(self, query: str, limit: int) -> ModelList:
        """Return the models that a query finds, the best first; all of them without a query."""
        self._settings.check(("model_dirs", "model_places", "allowed_paths"))
        look = await self._look()
        # In a thread: folders are looked at, and one on a network may take long.
        return await anyio.to_thread.run_sync(self._list, query, limit, look)

    async def details(self, name: str) -> ModelDetails:
        """Return one model of the list.

        Raises:
            ModelUnusableError: no model has that name.
        """
        look = await self._look()
        return await anyio.to_thread.run_sync(self._details, name, look)

    async def names(self, part: str) -> tuple[str, ...]:
        """Return the names that begin with a text, then those that contain it."""
        models = await anyio.to_thread.run_sync(self._library.models)
        low = part.casefold()
        found = [model.name for model in models if low in model.name.casefold()]
        return tuple(sorted(found, key=lambda name: not name.casefold().startswith(low)))

    async def mark(self) -> Hashable:
        """Return a value that is another one once a model has come, gone or changed."""
        # Abandoned at the end: a folder on a network that hangs must not keep the process.
        models = await anyio.to_thread.run_sync(self._library.models, abandon_on_cancel=True)
        return frozenset((str(model.path), model.size_bytes) for model in models)

    async def _look(self) -> "_Look":
        fits, seen = await self._supervisor.fits(), await self._supervisor.observe()
        is_up = isinstance(seen, RunState) and seen.pid is not None
        path = seen.run.launch.config.model_path if isinstance(seen, RunState) and is_up else None
        return _Look(fits, Path(path) if path else None)

    def _details(self, name: str, look: "_Look") -> ModelDetails:
        from llama_mcp.models.offering import named, nearest

        models = self._library.models()
        for model in models:
            if model.name == name:
                row = _row(model, look)
                projector = str(model.projector) if model.projector else None
                return ModelDetails(**row.model_dump(), path=str(model.path), projector=projector)
        like = named(nearest(name, models))
        advice = f"The nearest are: {like}." if like else "There is no model."
        raise ModelUnusableError(name, "no model of the list has that name", advice)

    def _list(self, query: str, limit: int, look: "_Look") -> ModelList:
        rows = [_row(model, look) for model in self._library.models()]
        if look.running is not None and not any(row.running for row in rows):
            # It was started by its path, and lies where nobody looks.
            others = self._library.at(look.running).models
            rows += [_row(model, look) for model in others]
        found, has_all_words = matching(best_first(rows), query)
        if not found:
            note = why_none(query, len(rows), self._settings)
            return ModelList(total=0, note=" ".join([note, *missing_folders(self._settings)]))
        available_bytes = look.fits.available.total_bytes
        return told_list(found, available_bytes, limit, has_all_words=has_all_words)


@dataclass(frozen=True, slots=True)
class _Look:
    """What is known of memory and llama-server at one moment."""

    fits: "Fits"
    running: Path | None
    """The file of the model that runs."""


def _row(model: "Model", look: _Look) -> ModelRow:
    sight = model.projector_facts
    return row_of(
        model,
        look.fits.of(model, _size(model.projector)),
        has_vision=sight is not None and sight.vision,
        is_running=look.running is not None and is_same_file(model.path, look.running),
    )


def _size(path: Path | None) -> int:
    try:
        return path.stat().st_size if path else 0
    except OSError:
        return 0
