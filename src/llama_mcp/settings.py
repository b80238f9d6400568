"""Every knob that an operator can turn, its default and its unit, and every path that we use.

Environment variables that begin with LLAMA_MCP_ are read once, by reading_settings.py. Each room is
given the group that is its own; Settings is all groups together. A test or an embedder passes
Settings and is done.
"""

import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from llama_mcp.errors import NoHomeError
from llama_mcp.home_folders import archive_in, data_folder, runs_in, state_folder
from llama_mcp.ranges import (
    CtxSize,
    GpuLayers,
    IdleSeconds,
    KvDiskMB,
    MaxModels,
    Parallel,
    Port,
    VectorCacheMB,
    WaitSeconds,
)
from llama_mcp.setting_values import (
    MODEL_PLACES,
    FromText,
    ModelPlace,
    as_command_line,
    as_engine,
    as_folder,
    as_folders,
    as_folders_or_none,
    as_key_file,
    as_layers,
    as_level,
    as_list,
    as_model,
    as_patterns,
    as_places,
    as_text,
    as_url,
    as_variables,
    as_word,
)
from llama_mcp.settings_group import Fault, SettingsGroup
from llama_mcp.toolsets import TOOLSETS, tools_of, toolsets_in

DEFAULT_PORT = 8080
DEFAULT_CTX_SIZE = 4096
DEFAULT_PARALLEL = 4


class LaunchSettings(SettingsGroup):
    """What a start of llama-server asks for; an argument goes before its setting."""

    llama_cpp_path: Annotated[str | None, FromText(as_engine)] = Field(
        default=None,
        description="Folder or executable of llama.cpp's llama-server; `embedded` for the one "
        "that pip brings. Unset: looked for on PATH, then the embedded one.",
    )
    model_path: Annotated[str | None, FromText(as_model)] = Field(
        default=None, description="GGUF model. Unset: the starter model when it is installed."
    )
    port: Port = Field(default=DEFAULT_PORT, description="0 picks any free port.")
    ctx_size: CtxSize = Field(
        default=DEFAULT_CTX_SIZE, description="Context window of each conversation, tokens."
    )
    parallel: Parallel = Field(
        default=DEFAULT_PARALLEL, description="Conversations that generate at once (slots)."
    )
    n_gpu_layers: Annotated[GpuLayers | None, FromText(as_layers)] = Field(
        default=None, description="Layers on the GPU: -1 all, 0 none. Unset: automatic."
    )
    extra_args: Annotated[tuple[str, ...], FromText(as_command_line)] = Field(
        default=(), description="More llama-server flags, written as on a command line."
    )


class StorageSettings(SettingsGroup):
    """Where things are kept."""

    home: Annotated[Path | None, FromText(as_folder)] = Field(
        default=None, description="Where state and archive live. Unset: the platform's folders."
    )

    @property
    def state_dir(self) -> Path:
        """Where runs of llama-server are recorded.

        Raises:
            WrongSettingsError: the setting of the home is wrong.
            NoHomeError: there is none, and the platform has no folder for it.
        """
        return self._folder(state_folder)

    @property
    def runs_dir(self) -> Path:
        """One folder for each launch of llama-server; raises as `state_dir` does."""
        return runs_in(self.state_dir)

    @property
    def archive_path(self) -> Path:
        """The archive of sessions; raises as `state_dir` does."""
        return archive_in(self._folder(data_folder))

    def _folder(self, folder_for: Callable[[Path | None], Path]) -> Path:
        self.check(("home",))
        try:
            return folder_for(self.home)
        except (OSError, RuntimeError, ValueError) as error:
            raise NoHomeError(str(error).rstrip(".")) from error


class RemoteSettings(SettingsGroup):
    """An engine that somebody else runs, and what answers where no other model is named."""

    url: Annotated[str | None, FromText(as_url)] = Field(
        default=None, description="Address of an engine that somebody else runs: it answers."
    )
    url_key_file: Annotated[Path | None, FromText(as_key_file)] = Field(
        default=None, description="File that holds the key of that engine."
    )
    url_model: Annotated[str | None, FromText(as_text)] = Field(
        default=None, description="Model of that engine. Unset: the first that it lists."
    )


class LlamaServerSettings(LaunchSettings, StorageSettings, RemoteSettings):
    """How llama-servers are found, started, kept and guarded."""

    model_dirs: Annotated[tuple[Path, ...], FromText(as_folders)] = Field(
        default=(), description="Folders in which a model may be named by its file name alone."
    )
    model_places: Annotated[tuple[ModelPlace, ...], FromText(as_places)] = Field(
        default=MODEL_PLACES,
        description="Programs whose own folders of models are looked at, with commas; `none`.",
    )
    allowed_paths: Annotated[tuple[Path, ...], FromText(as_folders)] = Field(
        default=(), description="Folders outside which no executable or model may lie; unset: any."
    )
    rpc_servers: Annotated[tuple[str, ...], FromText(as_list)] = Field(
        default=(),
        description="host:port of RPC workers that every start uses, with commas; --rpc in "
        "extra_args may name no others.",
    )
    pass_env: Annotated[tuple[str, ...], FromText(as_variables)] = Field(
        default=(),
        description="More environment variables that llama-server gets, with commas; `NAME*` for "
        "all that begin so.",
    )
    api_key: Annotated[Literal["none", "auto"], FromText(as_word)] = Field(
        default="none",
        description="auto: a fresh key for each llama-server, so that no other program can use it.",
    )
    auto_restart: bool = Field(
        default=True, description="Start a llama-server that crashed again for the next chat."
    )
    auto_start: bool = Field(
        default=True, description="Start llama-server for a chat when none runs."
    )
    unresponsive_seconds: float = Field(
        default=120.0,
        gt=0,
        allow_inf_nan=False,
        description="Silence of a chat after which llama-server is asked for a sign of life.",
    )
    linger_seconds: float = Field(
        default=300.0,
        ge=-1,
        allow_inf_nan=False,
        description="How long an unused llama-server is kept; 0 ends it with its last client, "
        "-1 never does.",
    )
    finish_seconds: float = Field(
        default=600.0,
        ge=0,
        allow_inf_nan=False,
        description="How long a reply goes on whose llama-mcp has ended; 0: it ends with it.",
    )

    max_models: MaxModels = Field(default=1, description="How many models run at once.")
    models: Annotated[Path | None, FromText(as_folder)] = Field(
        default=None, description="TOML file of named models with settings of their own."
    )
    idle_seconds: IdleSeconds = Field(
        default=0.0, description="Without a turn for so long, a model is unloaded; 0: never."
    )
    swap_after_seconds: float = Field(
        default=60.0,
        ge=-1,
        allow_inf_nan=False,
        description="How long a model must have been quiet before it makes room for another; "
        "-1: never.",
    )
    kv_disk_mb: KvDiskMB = Field(
        default=2048,
        description="Room on disk for prompt caches that survive a restart; 0 keeps none.",
    )


class OfferSettings(SettingsGroup):
    """Which tools clients are offered."""

    toolsets: Annotated[tuple[str, ...], FromText(toolsets_in)] = Field(
        default=tuple(TOOLSETS), description="Sets of tools that clients are offered, with commas."
    )

    @property
    def offered_tools(self) -> frozenset[str]:
        """The names of the tools that clients are offered."""
        return tools_of(self.toolsets)


class DownloadSettings(SettingsGroup):
    """What may be fetched from elsewhere."""

    downloads: bool = Field(default=True, description="Let models be downloaded.")


class FileSettings(SettingsGroup):
    """Which files callers may name."""

    file_dirs: Annotated[tuple[Path, ...] | None, FromText(as_folders_or_none)] = Field(
        default=None,
        description="Folders whose files callers may have read; unset: the client's; `none`.",
    )
    save_dirs: Annotated[tuple[Path, ...] | None, FromText(as_folders_or_none)] = Field(
        default=None,
        description="Folders in which replies may be saved; unset: the client's; `none`.",
    )
    secret_files: Annotated[tuple[str, ...] | None, FromText(as_patterns)] = Field(
        default=None,
        description="Names of files that are never read, as patterns with commas; `default` stands "
        "for the list in docs/files.md, `none` for none.",
    )


class RankSettings(SettingsGroup):
    """How texts are ranked."""

    vector_cache_mb: VectorCacheMB = Field(
        default=256, description="Room on disk for what was made of ranked texts; 0 keeps nothing."
    )


class CallSettings(SettingsGroup):
    """How long a call may take."""

    wait_seconds: WaitSeconds = Field(
        default=50.0,
        description="After which a call that does not say it returns what there is.",
    )

    def patience(self, asked: float | None) -> float:
        """Return how many seconds a call waits that has asked for so many, or for none."""
        return self.wait_seconds if asked is None else asked


class ReportSettings(SettingsGroup):
    """What llama-mcp says of its work, and to whom."""

    trace_content: bool = Field(
        default=False,
        description="Put messages and replies into OpenTelemetry spans, where these are collected.",
    )
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], FromText(as_level)] = Field(
        default="WARNING", description="How much llama-mcp says on stderr."
    )


class Settings(
    LlamaServerSettings,
    OfferSettings,
    DownloadSettings,
    FileSettings,
    RankSettings,
    CallSettings,
    ReportSettings,
):
    """The operator's settings, all groups."""

    def with_findings(self, faults: Collection[Fault], notices: Collection[str]) -> "Settings":
        """Return the settings together with what was found wrong or odd when they were read."""
        read = self.model_copy()
        read._faults, read._notices = tuple(faults), tuple(notices)
        return read


def inherited_environment() -> dict[str, str]:
    """Return a copy of the environment that we were started with."""
    return dict(os.environ)


def forget_inherited(name: str) -> None:
    """Take a variable out of our own environment, for the libraries that read it."""
    os.environ.pop(name, None)
