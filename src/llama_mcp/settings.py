"""Every knob that an operator can turn, its default and its unit, and every path that we use.

Read once, from environment variables that begin with LLAMA_MCP_. Each room is given the group that
is its own; Settings is all groups together. A test or an embedder passes Settings and is done.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from llama_mcp.ranges import CtxSize, GpuLayers, Parallel, Port
from llama_mcp.setting_texts import ON_WINDOWS, plain_path, split_command_line, split_folders

DEFAULT_PORT = 8080
DEFAULT_CTX_SIZE = 4096
DEFAULT_PARALLEL = 4

APPLICATION = "llama-mcp"


def _as_folder(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return Path(plain_path(value, windows=ON_WINDOWS)).expanduser()
    except RuntimeError as error:  # an unknown user after `~`
        raise ValueError(str(error)) from error


Folder = Annotated[Path, BeforeValidator(_as_folder)]


class SettingsGroup(BaseModel):
    """The settings of one room; frozen."""

    # Not a class argument: type checkers let no frozen class derive from BaseSettings then.
    model_config = ConfigDict(frozen=True)


class LaunchSettings(SettingsGroup):
    """What a start of llama-server asks for; an argument goes before its setting."""

    llama_cpp_path: str | None = Field(
        default=None,
        description="Folder or executable of llama.cpp's llama-server; `embedded` for the one "
        "that pip brings. Unset: looked for on PATH, then the embedded one.",
    )
    model_path: str | None = Field(
        default=None, description="GGUF model. Unset: the starter model when it is installed."
    )
    port: Port = Field(default=DEFAULT_PORT, description="0 picks any free port.")
    ctx_size: CtxSize = Field(
        default=DEFAULT_CTX_SIZE, description="Context window of each conversation, tokens."
    )
    parallel: Parallel = Field(
        default=DEFAULT_PARALLEL, description="Conversations that generate at once (slots)."
    )
    n_gpu_layers: GpuLayers | None = Field(
        default=None, description="Layers on the GPU: -1 all, 0 none. Unset: automatic."
    )
    extra_args: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="More llama-server flags, written as on a command line."
    )

    @field_validator("extra_args", mode="before")
    @classmethod
    def _split_arguments(cls, value: Any) -> Any:
        if isinstance(value, str):
            return split_command_line(value, windows=ON_WINDOWS)
        return value


class StorageSettings(SettingsGroup):
    """Where things are kept."""

    home: Folder | None = Field(
        default=None, description="Where state and archive live. Unset: the platform's folders."
    )

    @property
    def state_dir(self) -> Path:
        """Where runs of llama-server are recorded."""
        return self.home or platformdirs.user_state_path(APPLICATION, appauthor=False)

    @property
    def runs_dir(self) -> Path:
        """One folder for each launch of llama-server."""
        return self.state_dir / "runs"

    @property
    def archive_path(self) -> Path:
        """The archive of sessions."""
        data_dir = self.home or platformdirs.user_data_path(APPLICATION, appauthor=False)
        return data_dir / "sessions.db"


class LlamaServerSettings(LaunchSettings, StorageSettings):
    """How llama-servers are found, started, kept and guarded."""

    model_dirs: Annotated[tuple[Folder, ...], NoDecode] = Field(
        default=(), description="Folders in which a model may be named by its file name alone."
    )
    allowed_paths: Annotated[tuple[Folder, ...], NoDecode] = Field(
        default=(), description="Folders outside which no executable or model may lie; unset: any."
    )
    rpc_servers: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="host:port of RPC servers that extra_args may name, with commas."
    )
    api_key: Literal["none", "auto"] = Field(
        default="none",
        description="auto: a fresh key for each llama-server, so that no other program can use it.",
    )
    auto_restart: bool = Field(
        default=True, description="Start a llama-server that crashed again for the next chat."
    )
    unresponsive_seconds: float = Field(
        default=120.0,
        gt=0,
        description="Silence of a chat after which llama-server is asked for a sign of life.",
    )
    linger_seconds: float = Field(
        default=5.0, ge=-1, description="How long an unused llama-server is kept; -1 for ever."
    )

    @field_validator("rpc_servers", mode="before")
    @classmethod
    def _split_addresses(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("model_dirs", "allowed_paths", mode="before")
    @classmethod
    def _split_folders(cls, value: Any) -> Any:
        if isinstance(value, str):
            return split_folders(value, windows=ON_WINDOWS)
        return value


class ReportSettings(SettingsGroup):
    """What llama-mcp says of its work, and to whom."""

    trace_content: bool = Field(
        default=False,
        description="Put messages and replies into OpenTelemetry spans, where these are collected.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="WARNING", description="How much llama-mcp says on stderr."
    )


class Settings(LlamaServerSettings, ReportSettings, BaseSettings):
    """The operator's settings, all groups; frozen once they are read."""

    model_config = SettingsConfigDict(
        env_prefix="LLAMA_MCP_", frozen=True, env_ignore_empty=True, extra="ignore"
    )


def inherited_environment() -> dict[str, str]:
    """Return a copy of the environment that we were started with."""
    return dict(os.environ)


def describe_invalid(error: ValidationError) -> str:
    """Say in one line for each setting what is wrong with it.

    Args:
        error: What reading Settings raised.
    """
    lines = [
        f"LLAMA_MCP_{'_'.join(str(part) for part in fault['loc'][:1]).upper()}: {fault['msg']}"
        f" (it is {fault['input']!r})"
        for fault in error.errors()
    ]
    return "\n".join(lines)
