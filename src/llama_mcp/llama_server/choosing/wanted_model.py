"""Which model is wanted: which of those that run is it, and what is started if none is."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import anyio.to_thread

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.choosing.meant_run import is_of, run_called, run_found
from llama_mcp.llama_server.model_errors import (
    CannotChatError,
    CannotRankError,
    ModelSource,
    NoRankModelError,
)
from llama_mcp.llama_server.runs.named_states import named_state, whole_named
from llama_mcp.llama_server.runs.run_state import RunState
from llama_mcp.llama_server.starting.preparation import Preparation, prepare
from llama_mcp.llama_server.status import AboutModel, LaunchArguments, ServerState
from llama_mcp.models.errors import ModelsFileError, ModelUnusableError
from llama_mcp.models.library import Library, library_of
from llama_mcp.models.naming import find_entry, find_model
from llama_mcp.models.not_for_chat import (
    CANNOT_CHAT,
    choice_for_ranking,
    models_that_chat,
    models_that_rank,
)
from llama_mcp.models.offering import named
from llama_mcp.settings import LlamaServerSettings

# What models are looked up with.
_LIBRARY = ("model_dirs", "model_places", "allowed_paths", "models")


@dataclass(frozen=True, slots=True)
class WantedModel(ABC):
    """The model that is named, else the usual one, else any that can do what is wanted of it."""

    settings: LlamaServerSettings
    environment: Mapping[str, str]
    name: str | None
    """A path, or a name of the operator's or of the library; nothing else will do.

    None takes the usual one, or what runs.
    """
    usual: str | None = None
    """The model that served the session before, by its name; another one will do as well."""

    async def serving(self, states: Sequence[RunState]) -> RunState | None:
        """Return the run that serves: one that lives, or that has ended and comes back as it was.

        None when a model is to be started.

        Args:
            states: the last run of each model, that which was launched last first.

        Raises:
            CannotChatError: it has no replies, and they are wanted.
            CannotRankError: it cannot rank, and that is wanted.
            LlamaMCPError: what was named is no model.
        """
        found = await (self._usual_or_any(states) if self.name is None else self._named(states))
        if found is None:
            return None
        if found.is_live:
            source: ModelSource = "named" if self.name else "running"
            await self._check(found.run.launch.alias, found.run.launch.about_model, source)
            return found
        return found if comes_back(found) and self._can(found.run.launch.about_model) else None

    async def prepare(self, states: Sequence[RunState]) -> Preparation:
        """Return its start, checked: that of start_llama_server with no more than its name.

        Args:
            states: the last run of each model.

        Raises:
            LlamaMCPError: it cannot be started, or not do what is wanted; or none is meant.
        """
        name = self.name or await self._startable_usual(states) or await self._chosen()
        arguments = LaunchArguments(model_path=name)
        preparation = await prepare(self.settings, self.environment, arguments)
        source: ModelSource = "named" if name else "default"
        await self._check(preparation.in_use.alias, preparation.in_use.about, source)
        return preparation

    @property
    def _library(self) -> Library:
        self.settings.check(_LIBRARY)
        return library_of(self.settings, self.environment)

    async def _named(self, states: Sequence[RunState]) -> RunState | None:
        """Return the last run of the model that is named, whole names first."""
        name = self.name or ""
        if (whole := whole_named(states, name)) is not None:
            return whole
        try:
            return await anyio.to_thread.run_sync(run_found, name, states, self._library)
        except LlamaMCPError:
            # The beginning of the name of one that lies where nobody looks.
            begun = named_state([s for s in states if s.is_live or comes_back(s)], name)
            if begun is None:
                raise
            return begun

    async def _usual_or_any(self, states: Sequence[RunState]) -> RunState | None:
        live = [state for state in states if state.is_live]
        # Where one model runs at a time, one that was not named is never swapped in.
        may_start = self.settings.max_models > 1 or not live
        for state in states:
            is_it = state.run.launch.alias == self.usual
            serves = state.is_live or (may_start and comes_back(state))
            if is_it and serves and self._can(state.run.launch.about_model):
                return state
        if may_start and await self._startable_usual(states) is not None:
            return None
        able = [state for state in live if self._can(state.run.launch.about_model)]
        if able:
            return await self._default_of(able)
        if may_start:
            return next(iter(states), None) if not live else None
        return live[0]

    async def _default_of(self, states: Sequence[RunState]) -> RunState:
        """Return the run of the operator's default if it is among them, else the first."""
        if len(states) > 1:
            return await anyio.to_thread.run_sync(self._run_of_default, states) or states[0]
        return states[0]

    def _run_of_default(self, states: Sequence[RunState]) -> RunState | None:
        """Return the last run of the operator's default. Blocking."""
        # Of a wrong file of entries those tell who need a name.
        with suppress(ModelsFileError, ModelUnusableError):
            if entry := find_entry(None, self._library):
                return run_called(entry.name, states)
        default = self._library.default_file()
        return next((each for each in states if default and is_of(each, default)), None)

    async def _startable_usual(self, states: Sequence[RunState]) -> str | None:
        """Return by what the usual model can be started; None when it cannot, or there is none."""
        if self.usual is None:
            return None
        try:
            await anyio.to_thread.run_sync(self._check_known, self.usual)
        except ModelsFileError:
            raise
        except LlamaMCPError:
            ran = [each.run.launch for each in states if each.run.launch.alias == self.usual]
            path = ran[0].config.model_path if ran else None
            return path if path and await anyio.Path(path).is_file() else None
        return self.usual

    def _check_known(self, name: str) -> None:
        """Raise LlamaMCPError for what is the name of no model. Blocking."""
        if self._library.named_models.exactly(name) is None:
            find_model(name, self._library)

    async def _chosen(self) -> str | None:
        """Return what is started when nothing was named; None for the operator's default."""
        return None

    @abstractmethod
    def _can(self, about: AboutModel | None) -> bool:
        """Tell whether a model can do what is wanted."""

    @abstractmethod
    async def _check(self, model: str, about: AboutModel | None, source: ModelSource) -> None:
        """Raise an error for one that cannot."""


def comes_back(state: RunState) -> bool:
    """Tell whether a run that is over is started again, as it was, for whoever wants its model.

    It has crashed, or was unloaded because it was idle, or is just being unloaded.
    """
    has_crashed = state.state is ServerState.CRASHED and state.was_ready
    return has_crashed or state.state is ServerState.IDLE or state.is_unloading


class ModelThatChats(WantedModel):
    """The model of a turn."""

    def _can(self, about: AboutModel | None) -> bool:
        # Of one whose header cannot be read it is not known.
        return about is None or about.kind not in CANNOT_CHAT

    async def _check(self, model: str, about: AboutModel | None, source: ModelSource) -> None:
        if about is not None and about.kind in CANNOT_CHAT:
            others = await anyio.to_thread.run_sync(models_that_chat, self._library)
            raise CannotChatError(model, CANNOT_CHAT[about.kind], others, source)


class ModelThatRanks(WantedModel):
    """The model that texts are ranked by."""

    async def _chosen(self) -> str | None:
        models = await anyio.to_thread.run_sync(choice_for_ranking, self._library)
        if len(models) != 1:
            raise NoRankModelError(named(models))
        return models[0].name

    def _can(self, about: AboutModel | None) -> bool:
        return about is not None and about.kind in CANNOT_CHAT

    async def _check(self, model: str, about: AboutModel | None, source: ModelSource) -> None:
        if not self._can(about):
            able = await anyio.to_thread.run_sync(models_that_rank, self._library)
            what = f"a {about.kind} model" if about else "a model whose header cannot be read"
            raise CannotRankError(model, what, named(able), source)
