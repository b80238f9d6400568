"""What a start is asked for: a call's arguments, before an entry's values, before the settings."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.engine.capabilities import Capabilities
from llama_mcp.llama_server.engine.command_line import LaunchConfig
from llama_mcp.llama_server.engine.memory_options import given_values
from llama_mcp.llama_server.errors import EntrysValueError, OperatorsValueError
from llama_mcp.llama_server.model_errors import RunByOthersError
from llama_mcp.llama_server.status import LaunchArguments
from llama_mcp.llama_server.workers.wanted import RPC, WantedWorkers, wanted_workers
from llama_mcp.models.entries.entry import LAUNCH_FIELDS, NamedModel, RemoteModel
from llama_mcp.models.errors import ModelsFileError
from llama_mcp.models.library import library_of
from llama_mcp.models.model import Model
from llama_mcp.models.naming import entry_model, find_entry, find_model
from llama_mcp.settings import LlamaServerSettings

_MODEL = "model_path"


@dataclass(frozen=True, slots=True)
class Asked:
    """A start, before anything is looked for but the operator's entry.

    Attributes:
        settings: the operator's.
        inherited: the environment that we were started with.
        arguments: what the call asks for.
        entry: the operator's named model that it means; None for any other.
    """

    settings: LlamaServerSettings
    inherited: Mapping[str, str]
    arguments: LaunchArguments
    entry: NamedModel | None

    @classmethod
    def of(
        cls,
        settings: LlamaServerSettings,
        inherited: Mapping[str, str],
        arguments: LaunchArguments,
    ) -> "Asked":
        """Return what is asked for. Blocking: the file of named models is looked at.

        Raises:
            ModelsFileError: that file is wrong, and the call does not say which file it wants.
            ModelUnusableError: several names begin as the one that was passed.
            RunByOthersError: its entry is one of an engine that somebody else runs.
        """
        plain = cls(settings, inherited, arguments, None)
        with plain.blaming(_MODEL):
            entry = find_entry(arguments.model_path, library_of(settings, inherited))
        if entry is None:
            return plain
        if isinstance(entry, RemoteModel):
            raise RunByOthersError(entry.name, entry.url)
        # What names an entry is no path that the call has passed.
        return cls(settings, inherited, replace(arguments, model_path=None), entry)

    @classmethod
    def checked(
        cls,
        settings: LlamaServerSettings,
        inherited: Mapping[str, str],
        arguments: LaunchArguments,
    ) -> "Asked":
        """Return what is asked for, as `of` does.

        Raises:
            WrongSettingsError: a setting is wrong that neither the call nor an entry replaces.
        """
        needed = set(LlamaServerSettings.model_fields) - set(arguments.given())
        settings.check(needed - (set(LAUNCH_FIELDS) - {_MODEL}))
        asked = cls.of(settings, inherited, arguments)
        settings.check(needed - (asked.entry.given if asked.entry else set()))
        return asked

    @property
    def config(self) -> LaunchConfig:
        """The settings, with what the entry and then the call put in their place."""
        named = self.entry.launch_values() if self.entry else None
        return LaunchConfig.of(self.settings, self.arguments, named)

    @property
    def idle_seconds(self) -> float:
        """Without a turn for so long the model is unloaded; 0 for never."""
        own = self.entry.idle_seconds if self.entry else None
        return self.settings.idle_seconds if own is None else own

    @property
    def keep(self) -> bool:
        """Whether it is never stopped to make room for another model."""
        return self.entry is not None and self.entry.keep

    def workers(self, config: LaunchConfig, capabilities: Capabilities) -> WantedWorkers:
        """Return the RPC workers of the start.

        Args:
            config: what it comes down to.
            capabilities: what its engine knows.
        """
        return wanted_workers(
            given_values(config.extra_args, capabilities),
            self.entry.rpc_servers if self.entry else None,
            self.settings.rpc_servers,
            uses_gpus=config.n_gpu_layers != 0,
            is_known=RPC in capabilities,
        )

    @property
    def names_port(self) -> bool:
        """Whether the port is meant for this model, and not for any that is started."""
        return self.arguments.port is not None or self._is_of_entry("port")

    @property
    def folder_of_extra_args(self) -> Path | None:
        """Where relative paths in extra_args begin; None for the working folder."""
        return self.entry.folder if self.entry and self._is_of_entry("extra_args") else None

    def find_model(self) -> Model:
        """Return the model. Blocking; raises as `models.naming.find_model` does."""
        library = library_of(self.settings, self.inherited)
        if self.entry is not None:
            return entry_model(self.entry, library)
        return find_model(self.config.model_path, library)

    @contextmanager
    def blaming(self, *parameters: str) -> Iterator[None]:
        """Tell in an error about a value that the call has not passed whose value it is.

        Args:
            parameters: what the error can be about; the first whose value was not passed counts.
        """
        try:
            yield
        except ModelsFileError:  # which blames itself
            raise
        except LlamaMCPError as error:
            for parameter in parameters:
                if self.entry is not None and self._is_of_entry(parameter):
                    name, file = self.entry.name, self.entry.file
                    raise EntrysValueError(error, parameter, name, file) from error
            for parameter in parameters:
                if self._is_of_setting(parameter):
                    raise OperatorsValueError(error, parameter) from error
            raise

    def _is_of_entry(self, parameter: str) -> bool:
        is_given = self.entry is not None and parameter in self.entry.given
        return is_given and parameter not in self.arguments.given()

    def _is_of_setting(self, parameter: str) -> bool:
        default = LlamaServerSettings.model_fields[parameter].default
        is_set = getattr(self.settings, parameter) != default
        return is_set and parameter not in self.arguments.given()
