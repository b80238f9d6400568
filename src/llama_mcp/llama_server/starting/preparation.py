"""Everything that a start needs to know before it has any effect: engine, flags and model."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

from llama_mcp.keeper import spawning
from llama_mcp.llama_server.engine.capabilities import Capabilities, learn_capabilities
from llama_mcp.llama_server.engine.command_line import (
    LaunchConfig,
    build_command_line,
    child_environment,
    model_alias,
)
from llama_mcp.llama_server.engine.extra_args import check_extra_args, check_files_in
from llama_mcp.llama_server.engine.locate import Engine, locate_engine
from llama_mcp.llama_server.errors import EngineUnusableError
from llama_mcp.llama_server.runs.records import API_KEY_VARIABLE, Launch
from llama_mcp.llama_server.status import EngineInfo, LaunchArguments
from llama_mcp.long_paths import MAX_CHARACTERS, for_programs
from llama_mcp.models import starter_model
from llama_mcp.models.errors import ModelUnusableError
from llama_mcp.models.library import find_model
from llama_mcp.models.model_file import check_model_file
from llama_mcp.paths import check_path
from llama_mcp.settings import LlamaServerSettings

# A folder that never exists.
NO_CONFIGURATION = "no-configuration"


@dataclass(frozen=True, slots=True)
class Preparation:
    """A start that has been checked; its config names the engine and the model really used."""

    config: LaunchConfig
    engine: Engine
    capabilities: Capabilities
    model: Path
    model_argument: str
    """The model's name for llama-server."""
    environment: dict[str, str]
    linger_seconds: float

    def launch_on(self, port: int, at: float) -> Launch:
        """Return the launch on that port, begun at that time (seconds since 1970)."""
        alias = model_alias(self.model)
        command = build_command_line(
            self.config, self.capabilities, model=self.model_argument, alias=alias, port=port
        )
        notes = list(command.notes)
        if starter_model.is_starter_model(self.model):
            notes.append(
                "This is the starter model, small and quick but often wrong. For real work pass "
                "model_path with a model of your own."
            )
        return Launch(
            argv=[*self.engine.command, *command.arguments],
            environment=self.environment,
            linger_seconds=self.linger_seconds,
            config=self.config,
            engine=EngineInfo(
                kind=self.engine.kind, version=self.capabilities.version, path=self.engine.path
            ),
            alias=alias,
            port=port,
            at=at,
            notes=notes,
        )


async def prepare(
    settings: LlamaServerSettings, inherited: Mapping[str, str], arguments: LaunchArguments
) -> Preparation:
    """Check a start, without any effect.

    Args:
        settings: the operator's; an argument goes before its setting.
        inherited: the environment that we were started with.
        arguments: what the call asks for.

    Raises:
        LlamaMCPError: one of its kinds for each thing that can be wrong with them.
    """
    # In a thread: a folder on a network that hangs must not stop everything else.
    config, engine, model = await anyio.to_thread.run_sync(
        _resolve_checked, settings, inherited, arguments
    )
    allowed = settings.allowed_paths
    model_argument = _name_for_llama_server(model)
    check_batch_arguments(engine, (model_argument, model_alias(model), *config.extra_args))
    # llama.cpp reads llama.cpp/config.ini below it, which would configure it behind our back.
    environment = child_environment(inherited) | {
        "XDG_CONFIG_HOME": str(settings.state_dir / NO_CONFIGURATION)
    }
    if engine.kind == "embedded":
        environment = spawning.python_environment(environment)
    capabilities = await learn_capabilities(engine, environment)
    check_extra_args(config.extra_args, capabilities, settings.rpc_servers)
    check_files_in(config.extra_args, capabilities, allowed)
    if settings.api_key == "auto":
        environment = environment | {API_KEY_VARIABLE: _fresh_key(engine, capabilities)}
    return Preparation(
        config=config,
        engine=engine,
        capabilities=capabilities,
        model=model,
        model_argument=model_argument,
        environment=environment,
        linger_seconds=settings.linger_seconds,
    )


def _resolve_checked(
    settings: LlamaServerSettings, inherited: Mapping[str, str], arguments: LaunchArguments
) -> tuple[LaunchConfig, Engine, Path]:
    config, engine, model = resolve(settings, inherited, arguments)
    check_path(model, "model_path", settings.allowed_paths)
    if engine.kind == "llama-server":
        check_path(Path(engine.path), "llama_cpp_path", settings.allowed_paths)
    check_model_file(model)
    return config, engine, model


def _name_for_llama_server(model: Path) -> str:
    name = for_programs(str(model))
    if name is None:
        raise ModelUnusableError(
            str(model),
            f"its path has more than {MAX_CHARACTERS} characters, which llama-server cannot open",
            "Move it into a folder with a shorter path.",
        )
    return name


def check_batch_arguments(engine: Engine, arguments: Iterable[str]) -> None:
    """Raise EngineUnusableError for an argument that a batch file cannot be given.

    cmd.exe reads a batch file's arguments as a part of its own language, and runs what it takes for
    a command.
    """
    if not spawning.is_batch_file(engine.command[0]):
        return
    for argument in arguments:
        if refused := spawning.unquotable(argument):
            raise EngineUnusableError(
                engine.path,
                f"it is a batch file, and cmd.exe would not pass on {refused!r} in {argument!r}",
                "Pass llama-server.exe itself as llama_cpp_path, or leave these characters out.",
            )


def _fresh_key(engine: Engine, capabilities: Capabilities) -> str:
    """Return a key for one launch; llama-server reads it from its environment.

    On the command line every user of the machine could read it (/proc/PID/cmdline).
    """
    flag = capabilities.flags.get("--api-key")
    if flag is None or API_KEY_VARIABLE not in flag.description:
        raise EngineUnusableError(
            engine.path,
            f"it cannot take an API key from {API_KEY_VARIABLE}",
            "Use a newer llama.cpp, or unset LLAMA_MCP_API_KEY.",
        )
    return secrets.token_urlsafe(32)


def resolve(
    settings: LlamaServerSettings, inherited: Mapping[str, str], arguments: LaunchArguments
) -> tuple[LaunchConfig, Engine, Path]:
    """Return the config with the paths that it comes down to, the engine and the model."""
    config = LaunchConfig.of(settings, arguments)
    engine = locate_engine(config.llama_cpp_path, inherited.get("PATH", ""))
    model = find_model(config.model_path, settings.model_dirs)
    paths = {"llama_cpp_path": engine.path, "model_path": str(model)}
    return config.model_copy(update=paths), engine, model
