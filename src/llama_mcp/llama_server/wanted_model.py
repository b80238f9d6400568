"""Which model a turn wants: whether the one that runs is it, and what starts it if none runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

from llama_mcp.llama_server.errors import CannotChatError, ModelSource, OtherModelRunsError
from llama_mcp.llama_server.runs.records import Launch
from llama_mcp.llama_server.starting.preparation import Preparation, prepare
from llama_mcp.llama_server.status import AboutModel, LaunchArguments
from llama_mcp.models.library import library_of
from llama_mcp.models.naming import find_model
from llama_mcp.models.not_for_chat import CANNOT_CHAT, models_that_chat
from llama_mcp.paths import is_same_file
from llama_mcp.settings import LlamaServerSettings

# What names of models are looked up with.
_LIBRARY = ("model_dirs", "model_places", "allowed_paths")


@dataclass(frozen=True, slots=True)
class WantedModel:
    """The model of a turn: the one that is named, else any that has replies."""

    settings: LlamaServerSettings
    environment: Mapping[str, str]
    name: str | None
    """A path, or a name that fits one model of the library; None takes what runs."""

    async def check_runs(self, launch: Launch) -> None:
        """Return if what runs or loads takes the turn.

        Raises:
            OtherModelRunsError: another model was named.
            CannotChatError: it has no replies.
            LlamaMCPError: what was named is no model.
        """
        if not await self._is_it(launch):
            raise OtherModelRunsError(launch.alias, self.name or "")
        await self._check_chats(launch.alias, launch.about_model, "running")

    async def is_restarted(self, crashed: Launch) -> bool:
        """Tell whether a turn gets what has crashed: not another model, nor one without replies."""
        about = crashed.about_model
        cannot_chat = about is not None and about.kind in CANNOT_CHAT
        return not cannot_chat and await self._is_it(crashed)

    async def prepare(self) -> Preparation:
        """Return its start, checked: that of start_llama_server with no more than its name.

        Raises:
            LlamaMCPError: it cannot be started, or has no replies.
        """
        arguments = LaunchArguments(model_path=self.name)
        preparation = await prepare(self.settings, self.environment, arguments)
        source: ModelSource = "named" if self.name else "default"
        await self._check_chats(preparation.in_use.alias, preparation.in_use.about, source)
        return preparation

    async def _is_it(self, launch: Launch) -> bool:
        if self.name is None or self.name in (launch.alias, launch.config.model_path):
            return True
        self.settings.check(_LIBRARY)
        library = library_of(self.settings, self.environment)
        model = await anyio.to_thread.run_sync(find_model, self.name, library)
        return is_same_file(model.path, Path(launch.config.model_path or ""))

    async def _check_chats(self, model: str, about: AboutModel | None, source: ModelSource) -> None:
        """Raise CannotChatError for a model that has no replies."""
        if about is not None and about.kind in CANNOT_CHAT:
            library = library_of(self.settings, self.environment)
            others = await anyio.to_thread.run_sync(models_that_chat, library)
            raise CannotChatError(model, CANNOT_CHAT[about.kind], others, source)
