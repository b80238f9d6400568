"""A model as a start uses it: its name, its projector, its flags, and what is told of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from llama_mcp.errors import PathNotAllowedError
from llama_mcp.llama_server.engine.capabilities import Capabilities
from llama_mcp.llama_server.engine.command_line import CommandLine, LaunchConfig, model_alias
from llama_mcp.llama_server.engine.model_flags import (
    PROJECTOR_FILE_FLAGS,
    flags_for_model,
    wants_projector,
)
from llama_mcp.llama_server.status import AboutModel
from llama_mcp.long_paths import for_programs
from llama_mcp.models.errors import HeaderUnreadableError
from llama_mcp.models.facts import ModelFacts
from llama_mcp.models.model import Model
from llama_mcp.paths import check_path

FactsOf = Callable[[Path], ModelFacts]


@dataclass(frozen=True, slots=True)
class ModelInUse:
    """What follows from a model for its start."""

    alias: str
    """Its name for API and status."""
    about: AboutModel | None
    """None where its header cannot be read."""
    flags: CommandLine


def model_in_use(
    model: Model,
    config: LaunchConfig,
    capabilities: Capabilities,
    allowed: Sequence[Path],
    facts_of: FactsOf,
    name: str | None = None,
) -> ModelInUse:
    """Return what follows from a model; files are looked at.

    Args:
        model: the model.
        config: the start.
        capabilities: what the engine knows.
        allowed: the only folders from which files may come; empty for any.
        facts_of: reads a header.
        name: what the operator calls it; None for a name that is made of its file's.
    """
    alias = model_alias(name) if name else _alias(model)
    if model.facts is None:
        return ModelInUse(alias, None, CommandLine([], []))
    projector = projector_of(model, config.extra_args, allowed)
    is_ours = projector is not None and wants_projector(config.extra_args)
    argument = for_programs(str(projector)) if is_ours else None
    flags = flags_for_model(model.facts, argument, config, capabilities)
    if is_ours and argument not in flags.arguments:
        projector = None  # this build cannot take it
    return ModelInUse(alias, about_model(model, projector, facts_of), flags)


def projector_of(model: Model, extra_args: Sequence[str], allowed: Sequence[Path]) -> Path | None:
    """Return the projector of a start: the caller's, else the one that was made for the model."""
    if not wants_projector(extra_args):
        return _chosen_projector(extra_args)
    if model.projector is None or for_programs(str(model.projector)) is None:
        return None
    try:
        check_path(model.projector, "model_path", allowed)
    except PathNotAllowedError:
        return None
    return model.projector


def about_model(model: Model, projector: Path | None, facts_of: FactsOf) -> AboutModel | None:
    """Return what is told of a model; None where its header cannot be read."""
    if model.facts is None:
        return None
    senses = _facts_or_none(projector, facts_of)
    return AboutModel(
        kind=model.facts.kind,
        context_length=model.facts.context_length,
        vision=(senses.vision or None) if senses else None,
        audio=(senses.audio or None) if senses else None,
        sampling=model.facts.sampling,
    )


def _alias(model: Model) -> str:
    # The name of a blob tells nobody which model it is.
    is_blob = model.source == "ollama"
    return model_alias(model.name.rpartition("/")[2] if is_blob else model.path.stem)


def _chosen_projector(extra_args: Sequence[str]) -> Path | None:
    for flag, value in zip(extra_args, extra_args[1:], strict=False):
        if flag in PROJECTOR_FILE_FLAGS:
            return Path(value)
    return None


def _facts_or_none(path: Path | None, facts_of: FactsOf) -> ModelFacts | None:
    try:
        return facts_of(path) if path else None
    except HeaderUnreadableError:
        return None
