"""The settings of the llama-server that runs, else those that a start would use."""

from collections.abc import Iterator, Mapping

import anyio.to_thread

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.engine.command_line import LaunchConfig
from llama_mcp.llama_server.engine.model_flags import notes_on_kind
from llama_mcp.llama_server.runs import endings
from llama_mcp.llama_server.runs.run_state import RunState
from llama_mcp.llama_server.starting.model_in_use import about_model, projector_of
from llama_mcp.llama_server.starting.preparation import resolve
from llama_mcp.llama_server.status import (
    AboutModel,
    LaunchArguments,
    ServerConfig,
    ServerState,
)
from llama_mcp.models.library import library_of
from llama_mcp.models.model import Model
from llama_mcp.models.starter_model import system_prompt_of
from llama_mcp.reading_settings import notes_on
from llama_mcp.settings import LaunchSettings, LlamaServerSettings

IDLE = "the next call that needs it brings it back with these settings."
_LAUNCH = set(LaunchSettings.model_fields)


async def report(
    state: RunState | None,
    settings: LlamaServerSettings,
    environment: Mapping[str, str],
    model: str | None = None,
) -> ServerConfig:
    """Return the config, with what is wrong with settings, or keeps a start from succeeding.

    The next start of one that is idle is that which brings it back.

    Args:
        state: of the run that counts; None without one.
        settings: the operator's.
        environment: what llama-server's environment is built from.
        model: what a start would be asked for; None for the operator's default.

    Raises:
        LlamaMCPError: a start of that model would fail.
    """
    notes = await anyio.to_thread.run_sync(notes_on, settings)
    is_idle = state is not None and state.state is ServerState.IDLE
    if state is not None and (state.is_live or is_idle):
        launch = state.run.launch
        running = launch.config.model_dump() | {"port": launch.port}
        about = launch.about_model
        notes = (*notes, *_notes(launch.config, about, launch.system_prompt))
        notes = (*([f"{endings.describe_unloading(launch)}: {IDLE}"] if is_idle else []), *notes)
        return ServerConfig(**running, running=not is_idle, about_model=about, notes=notes)
    try:
        config, found, about = await anyio.to_thread.run_sync(
            _next_start, settings, environment, model
        )
    except LlamaMCPError as error:  # no engine or no model; the rest is worth knowing all the same
        if model is not None:
            raise
        failure = f"A start would fail: {error}"
        as_set = settings.model_dump(include=_LAUNCH)
        return ServerConfig(**as_set, running=False, notes=(*notes, failure))
    system_prompt = await anyio.to_thread.run_sync(system_prompt_of, found.path)
    notes = (*notes, *_notes(config, about, system_prompt))
    return ServerConfig(**config.model_dump(), running=False, about_model=about, notes=notes)


def _next_start(
    settings: LlamaServerSettings, environment: Mapping[str, str], name: str | None
) -> tuple[LaunchConfig, Model, AboutModel | None]:
    config, _engine, model = resolve(settings, environment, LaunchArguments(model_path=name))
    library = library_of(settings, environment)
    projector = projector_of(model, config.extra_args, settings.allowed_paths)
    about = about_model(model, projector, library.facts_of)
    return config, model, about


def _notes(
    config: LaunchConfig, about: AboutModel | None, system_prompt: str | None
) -> Iterator[str]:
    if about is not None:
        yield from notes_on_kind(about.kind, config.extra_args)
        trained = about.context_length
        if trained is not None and config.ctx_size > trained:
            more = f"ctx_size={config.ctx_size} is more than the {trained} tokens"
            yield f"{more} that the model was trained for."
    if system_prompt is not None:
        yield f'A session without a system_prompt has the one of this model: "{system_prompt}"'
