"""What a start passes for the sake of its model, by what the model's header says; pure.

What the caller has put into extra_args goes before it.
"""

from collections.abc import Collection, Sequence

from llama_mcp.llama_server.engine.capabilities import Capabilities, long_name
from llama_mcp.llama_server.engine.command_line import CommandLine, LaunchConfig
from llama_mcp.models.facts import Kind, ModelFacts
from llama_mcp.models.not_for_chat import CANNOT_CHAT

PROJECTOR_FILE_FLAGS = ("-mm", "--mmproj")
# By these a caller chooses a projector, or none.
_PROJECTOR_FLAGS = (
    *(*PROJECTOR_FILE_FLAGS, "-mmu", "--mmproj-url"),
    *("--no-mmproj", "--no-mmproj-auto"),
)
_TEMPLATE_FLAGS = ("--chat-template", "--chat-template-file")
_KIND_FLAGS: dict[Kind, tuple[str, str]] = {
    "embedding": ("--embedding", "--embeddings"),
    "rerank": ("--reranking", "--rerank"),
}
_ENDPOINTS: dict[Kind, str] = {"embedding": "/v1/embeddings", "rerank": "/v1/rerank"}
# An input of such a model has to fit one physical batch, which is a part of a logical one
# (llama.cpp: server-context.cpp, `input is too large to process`).
_BATCH_FLAGS = (("--batch-size", "-b"), ("--ubatch-size", "-ub"))


def wants_projector(extra_args: Collection[str]) -> bool:
    """Tell whether a caller has left the choice of a projector to us."""
    return _given(extra_args).isdisjoint(_PROJECTOR_FLAGS)


def flags_for_model(
    facts: ModelFacts, projector: str | None, config: LaunchConfig, capabilities: Capabilities
) -> CommandLine:
    """Return the flags, and what the caller should know of the model.

    Args:
        facts: what the model's header says.
        projector: what lets it see or hear, by its name for llama-server; None for none.
        config: the start.
        capabilities: what the engine knows.
    """
    arguments: list[str] = []
    notes: list[str] = []
    if projector and "--mmproj" in capabilities:
        arguments += ["--mmproj", projector]
    elif projector:
        notes.append(
            "This build of llama-server has no --mmproj, so the model cannot see or hear; a newer "
            "one can (llama_cpp_path)."
        )
    if facts.kind in _KIND_FLAGS:
        arguments += _flags_of_kind(facts, config, capabilities)
    return CommandLine(arguments, [*notes, *notes_on_kind(facts.kind, config.extra_args)])


def notes_on_kind(kind: Kind, extra_args: Collection[str]) -> list[str]:
    """Return what a caller should know who takes the model for one that chats."""
    if kind in CANNOT_CHAT:
        return [
            f"This is {CANNOT_CHAT[kind]}, and cannot chat. Programs ask it at {_ENDPOINTS[kind]} "
            "of its address."
        ]
    if kind == "base" and _given(extra_args).isdisjoint(_TEMPLATE_FLAGS):
        return [
            "This is a base model: it was not taught to converse, and goes on with a text rather "
            "than answer it. Its file has no chat template, so llama-server uses ChatML."
        ]
    return []


def _flags_of_kind(
    facts: ModelFacts, config: LaunchConfig, capabilities: Capabilities
) -> list[str]:
    given = _given(config.extra_args)
    wanted = _KIND_FLAGS[facts.kind]
    name = capabilities.first_of(*wanted)
    arguments = [name] if name and given.isdisjoint(wanted) else []
    window = min(config.ctx_size, facts.context_length or config.ctx_size)
    for names in _BATCH_FLAGS:
        if (name := capabilities.first_of(*names)) and given.isdisjoint(names):
            arguments += [name, str(window)]
    return arguments


def batch_limit(command_line: Sequence[str]) -> int | None:
    """Return how many tokens one input of such a model may have; None where no flag says it."""
    sizes = []
    for names in _BATCH_FLAGS:
        values = [
            value
            for name, value in zip(command_line, command_line[1:], strict=False)
            if long_name(name) in names and value.isdecimal()
        ]
        sizes += values[-1:]  # the last one counts
    return min(map(int, sizes), default=None)


def _given(extra_args: Collection[str]) -> set[str]:
    return {long_name(item) for item in extra_args}
