"""The settings of the llama-server that runs, else those that a start would use."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import anyio.to_thread

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.engine.command_line import LaunchConfig
from llama_mcp.llama_server.engine.model_flags import notes_on_kind
from llama_mcp.llama_server.runs import endings
from llama_mcp.llama_server.runs.run_state import RunState
from llama_mcp.llama_server.starting.asked import Asked
from llama_mcp.llama_server.starting.model_in_use import about_model, projector_of
from llama_mcp.llama_server.starting.preparation import resolve
from llama_mcp.llama_server.status import (
    AboutModel,
    LaunchArguments,
    ServerConfig,
    ServerState,
)
from llama_mcp.models.entries.entry import NamedModel
from llama_mcp.models.errors import ModelsFileError
from llama_mcp.models.library import library_of
from llama_mcp.models.settings_on_disk import notes_on_disk
from llama_mcp.models.starter_model import system_prompt_of
from llama_mcp.reading_settings import findings_in
from llama_mcp.settings import LlamaServerSettings
from llama_mcp.visible_text import visible_line

IDLE = "the next call that needs it brings it back with these settings."


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
    notes = await anyio.to_thread.run_sync(_notes_on, settings)
    is_idle = state is not None and state.state is ServerState.IDLE
    if state is not None and (state.is_live or is_idle):
        launch = state.run.launch
        running = launch.config.model_dump() | {"port": launch.port}
        about = launch.about_model
        notes = (*notes, *_notes(launch.config, about, launch.system_prompt))
        if workers := launch.worker_addresses:
            notes = (f"A part of the model is on the RPC workers {', '.join(workers)}.", *notes)
        notes = (*([f"{endings.describe_unloading(launch)}: {IDLE}"] if is_idle else []), *notes)
        return ServerConfig(**running, running=not is_idle, about_model=about, notes=notes)
    start = await anyio.to_thread.run_sync(_next_start, settings, environment, model)
    return ServerConfig(
        **start.config.model_dump(),
        running=False,
        about_model=start.about,
        notes=(*notes, *start.notes),
    )


@dataclass(frozen=True, slots=True)
class _Start:
    """What a start would use."""

    config: LaunchConfig
    about: AboutModel | None
    notes: tuple[str, ...]


def _notes_on(settings: LlamaServerSettings) -> tuple[str, ...]:
    return (*findings_in(settings), *notes_on_disk(settings))


def _next_start(
    settings: LlamaServerSettings, environment: Mapping[str, str], model: str | None
) -> _Start:
    """Return what a start would use.

    For the default it says why it would fail: the rest is worth knowing all the same. What is wrong
    with the file of models is told without it.
    """
    arguments = LaunchArguments(model_path=model)
    try:
        asked = Asked.of(settings, environment, arguments)
    except LlamaMCPError as error:
        if model is not None:
            raise
        told = () if isinstance(error, ModelsFileError) else (_failure(error),)
        return _Start(LaunchConfig.of(settings, arguments), None, told)
    of_entry = (_of_entry(asked.entry),) if asked.entry else ()
    try:
        config, _engine, found = resolve(asked)
    except LlamaMCPError as error:  # no engine or no model
        if model is not None:
            raise
        return _Start(asked.config, None, (*of_entry, _failure(error)))
    projector = projector_of(found, config.extra_args, settings.allowed_paths)
    if projector is not None and (folder := asked.folder_of_extra_args) is not None:
        projector = folder / projector
    about = about_model(found, projector, library_of(settings, environment).facts_of)
    notes = _notes(config, about, system_prompt_of(found.path))
    return _Start(config, about, (*of_entry, *notes))


def _failure(error: LlamaMCPError) -> str:
    return f"A start would fail: {error}"


def _of_entry(entry: NamedModel) -> str:
    idle = "" if entry.idle_seconds is None else f", idle_seconds={entry.idle_seconds:g}"
    keep = ", keep=true" if entry.keep else ""
    own = entry.rpc_servers
    workers = "" if own is None else f", rpc_servers={list(own)}"
    return f"A start uses {entry.name!r} of {visible_line(str(entry.file))}{idle}{keep}{workers}."


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
