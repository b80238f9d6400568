"""Which model is wanted: whether the one that runs is it, and what starts it if none runs."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

from llama_mcp.llama_server.model_errors import (
    CannotChatError,
    CannotRankError,
    ModelSource,
    NoRankModelError,
    OtherModelRunsError,
)
from llama_mcp.llama_server.runs.records import Launch
from llama_mcp.llama_server.starting.preparation import Preparation, prepare
from llama_mcp.llama_server.status import AboutModel, LaunchArguments
from llama_mcp.models.library import Library, library_of
from llama_mcp.models.naming import find_entry, find_model
from llama_mcp.models.not_for_chat import (
    CANNOT_CHAT,
    choice_for_ranking,
    models_that_chat,
    models_that_rank,
)
from llama_mcp.models.offering import named
from llama_mcp.models.rows.names import folded
from llama_mcp.paths import is_same_file
from llama_mcp.settings import LlamaServerSettings

# What models are looked up with.
_LIBRARY = ("model_dirs", "model_places", "allowed_paths", "models")


@dataclass(frozen=True, slots=True)
class WantedModel(ABC):
    """The model that is named, else any that can do what is wanted of it."""

    settings: LlamaServerSettings
    environment: Mapping[str, str]
    name: str | None
    """A path, or a name of the operator's or of the library; None takes what runs."""

    async def check_runs(self, launch: Launch) -> None:
        """Return if what runs or loads will do.

        Raises:
            OtherModelRunsError: another model was named.
            CannotChatError: it has no replies, and they are wanted.
            CannotRankError: it cannot rank, and that is wanted.
            LlamaMCPError: what was named is no model.
        """
        if not await self._is_it(launch):
            can_instead = self._can(launch.about_model)
            raise OtherModelRunsError(launch.alias, self.name or "", can_instead=can_instead)
        await self._check(launch.alias, launch.about_model, "running")

    async def is_restarted(self, crashed: Launch) -> bool:
        """Tell whether what has crashed is wanted again: not another model, nor a useless one."""
        return self._can(crashed.about_model) and await self._is_it(crashed)

    async def prepare(self) -> Preparation:
        """Return its start, checked: that of start_llama_server with no more than its name.

        Raises:
            LlamaMCPError: it cannot be started, or not do what is wanted; or none is meant.
        """
        name = await self._chosen()
        arguments = LaunchArguments(model_path=name)
        preparation = await prepare(self.settings, self.environment, arguments)
        source: ModelSource = "named" if name else "default"
        await self._check(preparation.in_use.alias, preparation.in_use.about, source)
        return preparation

    @property
    def _library(self) -> Library:
        self.settings.check(_LIBRARY)
        return library_of(self.settings, self.environment)

    async def _is_it(self, launch: Launch) -> bool:
        if self.name is None or self.name in (launch.alias, launch.config.model_path):
            return True
        return await anyio.to_thread.run_sync(self._means, self.name, launch)

    def _means(self, name: str, launch: Launch) -> bool:
        if entry := find_entry(name, self._library):
            return folded(entry.name) == folded(launch.alias)
        model = find_model(name, self._library)
        return is_same_file(model.path, Path(launch.config.model_path or ""))

    async def _chosen(self) -> str | None:
        """Return what is started; None for the operator's default."""
        return self.name

    @abstractmethod
    def _can(self, about: AboutModel | None) -> bool:
        """Tell whether a model can do what is wanted."""

    @abstractmethod
    async def _check(self, model: str, about: AboutModel | None, source: ModelSource) -> None:
        """Raise an error for one that cannot."""


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
        if self.name is not None:
            return self.name
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
