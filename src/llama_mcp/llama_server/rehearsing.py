"""What a start would find, told without one: engine, build, model, memory, port.

For whoever asks what is wrong before something goes wrong. Nothing is launched but the engine's own
`--help`, and nothing is written but what is known of models' headers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import anyio.to_thread

from llama_mcp.llama_server.engine.capabilities import Capabilities, learn_capabilities
from llama_mcp.llama_server.engine.devices import PATIENCE_SECONDS, list_devices
from llama_mcp.llama_server.engine.locate import locate_engine
from llama_mcp.llama_server.runs import ports
from llama_mcp.llama_server.starting.asked import Asked
from llama_mcp.llama_server.starting.fit_note import why_unfit
from llama_mcp.llama_server.starting.preparation import engine_environment, prepare
from llama_mcp.llama_server.status import EngineInfo, LaunchArguments
from llama_mcp.models.facts import Kind
from llama_mcp.settings import LlamaServerSettings

# What users miss in a build without these flags; builds name some of them differently.
_WITHOUT = {
    ("--slot-save-path",): "prompt caches are not kept over a restart",
    ("--mmproj",): "no model can see or hear",
    ("--embedding", "--embeddings"): "no embedding model can rank texts",
    ("--reranking", "--rerank"): "no rerank model can rank texts",
    ("--jinja",): "many models have no chat template",
    ("--metrics",): "figures are missing",
    ("--slots",): "nobody can see what the slots do",
    ("--list-devices",): "nobody knows whether a model fits on a GPU",
    ("--cors-origins",): "web pages of other origins are not refused",
}


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """The engine that a start would take.

    Attributes:
        info: Which it is.
        lacks: What its build cannot do, each a clause.
        gpus: The GPUs that it lists; None where it does not tell.
    """

    info: EngineInfo
    lacks: tuple[str, ...]
    gpus: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class StartFacts:
    """What a start without arguments would be.

    Attributes:
        model: Its name while it runs.
        model_path: Its file.
        size_bytes: What its files have.
        kind: What it is for; None where its header does not tell.
        problem: Why llama-server cannot load it; None where nothing is known against it.
        unfit: Why it does not fit into memory, in sentences; None when it does, or nobody knows.
        notes: What its caller would be told.
    """

    model: str
    model_path: str
    size_bytes: int
    kind: Kind | None
    problem: str | None
    unfit: str | None
    notes: tuple[str, ...]


async def find_engine(settings: LlamaServerSettings, inherited: Mapping[str, str]) -> EngineFacts:
    """Return the engine that a start would take, and what it says of itself.

    Raises:
        LlamaMCPError: there is none, it cannot be run, or the settings that name it are wrong.
    """
    settings.check(("llama_cpp_path", "pass_env", "models"))
    asked = await anyio.to_thread.run_sync(Asked.of, settings, inherited, LaunchArguments())
    path = inherited.get("PATH", "")
    engine = await anyio.to_thread.run_sync(locate_engine, asked.config.llama_cpp_path, path)
    environment = engine_environment(engine, settings, inherited)
    capabilities = await learn_capabilities(engine, environment)
    devices = await list_devices(engine, capabilities, environment, PATIENCE_SECONDS)
    info = EngineInfo(kind=engine.kind, version=capabilities.version, path=engine.path)
    gpus = None if devices is None else tuple(device.description for device in devices)
    return EngineFacts(info, what_is_missing(capabilities), gpus)


def what_is_missing(capabilities: Capabilities) -> tuple[str, ...]:
    """Return what users miss in a build, with the flag that would give it."""
    return tuple(
        f"no {names[0]}: {lost}"
        for names, lost in _WITHOUT.items()
        if capabilities.first_of(*names) is None
    )


async def rehearse_start(settings: LlamaServerSettings, inherited: Mapping[str, str]) -> StartFacts:
    """Return what a start without arguments would be, with everything checked before it.

    Raises:
        LlamaMCPError: such a start would be refused.
    """
    prepared = await prepare(settings, inherited, LaunchArguments())
    look = partial(why_unfit, prepared.memory, has_ended_another=False)
    unfit = await anyio.to_thread.run_sync(look)
    facts = prepared.model.facts
    return StartFacts(
        model=prepared.in_use.alias,
        model_path=str(prepared.model.path),
        size_bytes=prepared.model.size_bytes,
        kind=facts.kind if facts else None,
        problem=prepared.model.problem,
        unfit=unfit.note if unfit else None,
        notes=(*prepared.in_use.flags.notes, *prepared.notes),
    )


def who_holds(port: int) -> str | None:
    """Return who keeps llama-server from a port, or what does; None when it can have it. Blocking.

    Args:
        port: any but 0.
    """
    refused = ports.why_unusable(port)
    if refused is None:
        return None
    if ports.is_held(port):
        return ports.describe_holder(port)
    return f"the system, which gives it to nobody ({refused.strerror or refused})"
