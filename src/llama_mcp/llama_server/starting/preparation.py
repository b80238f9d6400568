"""Everything that a start needs to know before it has any effect: engine, flags and model."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.keeper import spawning
from llama_mcp.llama_server.engine.capabilities import Capabilities, learn_capabilities
from llama_mcp.llama_server.engine.command_line import (
    LaunchConfig,
    build_command_line,
)
from llama_mcp.llama_server.engine.devices import devices_for_start, no_gpu_note
from llama_mcp.llama_server.engine.environment import child_environment
from llama_mcp.llama_server.engine.extra_args import check_extra_args
from llama_mcp.llama_server.engine.extra_files import with_files_found
from llama_mcp.llama_server.engine.locate import Engine, locate_engine
from llama_mcp.llama_server.errors import EngineUnusableError
from llama_mcp.llama_server.runs.records import API_KEY_VARIABLE, Launch, RpcWorker
from llama_mcp.llama_server.saved_kv.planning import PlannedStart, plan_saving
from llama_mcp.llama_server.saved_kv.records import SavedKv
from llama_mcp.llama_server.starting.asked import Asked
from llama_mcp.llama_server.starting.fit_note import FitQuestion
from llama_mcp.llama_server.starting.model_in_use import ModelInUse, model_in_use
from llama_mcp.llama_server.status import EngineInfo, LaunchArguments
from llama_mcp.llama_server.workers.wanted import NO_WORKERS, WantedWorkers
from llama_mcp.long_paths import MAX_CHARACTERS, for_programs
from llama_mcp.models import starter_model
from llama_mcp.models.errors import ModelUnusableError
from llama_mcp.models.library import library_of
from llama_mcp.models.model import Model
from llama_mcp.models.model_file import check_model_file
from llama_mcp.paths import check_path
from llama_mcp.ranges import LARGEST_CONTEXT
from llama_mcp.settings import LlamaServerSettings

# A folder that never exists.
NO_CONFIGURATION = "no-configuration"


@dataclass(frozen=True, slots=True)
class Preparation:
    """A start that has been checked; its config names the engine and the model really used."""

    config: LaunchConfig
    engine: Engine
    capabilities: Capabilities
    model: Model
    model_argument: str
    """The model's name for llama-server."""
    environment: dict[str, str]
    linger_seconds: float
    finish_seconds: float
    idle_seconds: float
    in_use: ModelInUse
    memory: FitQuestion
    keep: bool = False
    named: str | None = None
    """The operator's name for the model; None where none was meant."""
    takes_any_port: bool = False
    """The port is only preferred: several models may run, and neither call nor entry names one."""
    notes: tuple[str, ...] = ()
    """What the caller should know of the start."""
    saved_kv: SavedKv | None = None
    """Where its prompt caches are saved when it is stopped; None when they are not."""
    workers: WantedWorkers = NO_WORKERS
    rpc_workers: tuple[RpcWorker, ...] = ()
    """The same once they were looked at (worker_check.py)."""

    def launch_on(self, port: int, at: float) -> Launch:
        """Return the launch on that port, begun at that time (seconds since 1970)."""
        alias, tag = self.in_use.alias, f"llama-mcp-{secrets.token_hex(16)}"
        command = build_command_line(
            self.config,
            self.capabilities,
            model=self.model_argument,
            alias=alias,
            port=port,
            tag=tag,
            slot_folder=self.saved_kv.folder if self.saved_kv else "",
            for_model=self.in_use.flags.arguments,
            for_workers=self.workers.flags,
        )
        notes = [*command.notes, *self.in_use.flags.notes, *self.notes]
        if starter_model.is_starter_model(self.model.path):
            notes.append(
                "This is the starter model, small and quick but often wrong. For real work pass "
                "model_path with a model of your own."
            )
        return Launch(
            argv=[*self.engine.command, *command.arguments],
            environment=self.environment,
            linger_seconds=self.linger_seconds,
            finish_seconds=self.finish_seconds,
            config=self.config,
            engine=EngineInfo(
                kind=self.engine.kind, version=self.capabilities.version, path=self.engine.path
            ),
            alias=alias,
            port=port,
            tag=tag,
            at=at,
            notes=notes,
            system_prompt=starter_model.system_prompt_of(self.model.path),
            about_model=self.in_use.about,
            idle_seconds=self.idle_seconds,
            saved_kv=self.saved_kv,
            keep=self.keep,
            rpc_workers=[*self.rpc_workers],
        )


async def prepare(
    settings: LlamaServerSettings, inherited: Mapping[str, str], arguments: LaunchArguments
) -> Preparation:
    """Check a start, without any effect.

    Args:
        settings: the operator's; an argument goes before an entry's value, that before a setting.
        inherited: the environment that we were started with.
        arguments: what the call asks for.

    Raises:
        LlamaMCPError: one of its kinds for each thing that can be wrong with them.
    """
    # In a thread: a folder on a network that hangs must not stop everything else.
    asked = await anyio.to_thread.run_sync(Asked.checked, settings, inherited, arguments)
    config, engine, model = await anyio.to_thread.run_sync(_resolve_checked, asked)
    model_argument = _name_for_llama_server(model.path)
    environment = engine_environment(engine, settings, inherited)
    with asked.blaming("llama_cpp_path"):
        capabilities = await learn_capabilities(engine, environment)
    with asked.blaming("extra_args"):
        check_extra_args(config.extra_args, capabilities, settings.rpc_servers)
        files_found = await anyio.to_thread.run_sync(
            with_files_found,
            config.extra_args,
            capabilities,
            settings.allowed_paths,
            asked.folder_of_extra_args,
        )
    config = config.model_copy(update={"extra_args": files_found})
    facts_of = library_of(settings, inherited).facts_of
    in_use = await anyio.to_thread.run_sync(
        model_in_use,
        model,
        config,
        capabilities,
        settings.allowed_paths,
        facts_of,
        asked.entry.name if asked.entry else None,
    )
    names = (model_argument, in_use.alias)
    check_batch_arguments(engine, (*names, *in_use.flags.arguments, *config.extra_args))
    if settings.api_key == "auto":
        environment = environment | {API_KEY_VARIABLE: _fresh_key(engine, capabilities)}
    devices = await devices_for_start(config, engine, capabilities, environment)
    arguments_of_start = (*in_use.flags.arguments, *config.extra_args)
    workers = asked.workers(config, capabilities)
    planned = PlannedStart(config, engine, capabilities, model, arguments_of_start, environment)
    saved_kv = await anyio.to_thread.run_sync(
        plan_saving, planned, settings.state_dir, settings.kv_disk_mb
    )
    return Preparation(
        config=config,
        engine=engine,
        capabilities=capabilities,
        model=model,
        model_argument=model_argument,
        environment=environment,
        linger_seconds=settings.linger_seconds,
        finish_seconds=settings.finish_seconds,
        idle_seconds=asked.idle_seconds,
        in_use=in_use,
        memory=FitQuestion(
            facts=model.facts,
            size_bytes=model.size_bytes,
            config=config,
            arguments=arguments_of_start,
            capabilities=capabilities,
            devices=devices,
            environment=environment,
            workers=None if workers.addresses else (),
        ),
        keep=asked.keep,
        named=asked.entry.name if asked.entry else None,
        takes_any_port=settings.max_models > 1 and not asked.names_port,
        notes=(*(() if workers.addresses else no_gpu_note(config, devices)), *workers.notes),
        saved_kv=saved_kv,
        workers=workers,
    )


def engine_environment(
    engine: Engine, settings: LlamaServerSettings, inherited: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment that the engine gets."""
    # llama.cpp reads llama.cpp/config.ini below it, which would configure it behind our back.
    environment = child_environment(inherited, settings.pass_env) | {
        "XDG_CONFIG_HOME": str(settings.state_dir / NO_CONFIGURATION)
    }
    if engine.kind == "embedded":
        return spawning.python_environment(environment, inherited)
    return environment


def _resolve_checked(asked: Asked) -> tuple[LaunchConfig, Engine, Model]:
    config, engine, model = resolve(asked)
    allowed = asked.settings.allowed_paths
    with asked.blaming("model_path"):
        check_path(model.path, "model_path", allowed)
        check_model_file(model.path)
    if engine.kind == "llama-server":
        with asked.blaming("llama_cpp_path"):
            check_path(Path(engine.path), "llama_cpp_path", allowed)
    with asked.blaming("ctx_size", "parallel"):
        check_context(config)
    return config, engine, model


def check_context(config: LaunchConfig) -> None:
    """Raise InvalidArgumentError when all windows together are more than llama-server takes."""
    tokens = config.ctx_size * config.parallel
    if tokens > LARGEST_CONTEXT:
        raise InvalidArgumentError(
            "ctx_size",
            f"times parallel is {tokens:,} tokens ({config.ctx_size:,} for each of "
            f"{config.parallel:,} conversations), and llama-server takes {LARGEST_CONTEXT:,}",
            "Pass a smaller ctx_size or parallel; most models are trained for 131,072 or less.",
        )


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


def resolve(asked: Asked) -> tuple[LaunchConfig, Engine, Model]:
    """Return the config with the paths that it comes down to, the engine and the model."""
    config = asked.config
    with asked.blaming("llama_cpp_path"):
        engine = locate_engine(config.llama_cpp_path, asked.inherited.get("PATH", ""))
    with asked.blaming("model_path"):
        model = asked.find_model()
    paths = {"llama_cpp_path": engine.path, "model_path": str(model.path)}
    return config.model_copy(update=paths), engine, model
