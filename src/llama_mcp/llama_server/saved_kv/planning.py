"""Whether the prompt caches of a start are saved, and where; decided before it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from llama_mcp.keeper import kv_files, run_dir
from llama_mcp.llama_server.engine.capabilities import Capabilities
from llama_mcp.llama_server.engine.command_line import LaunchConfig
from llama_mcp.llama_server.engine.locate import Engine
from llama_mcp.llama_server.engine.memory_options import Values, given_values, start_options
from llama_mcp.llama_server.saved_kv.key import KeyParts, key_of
from llama_mcp.llama_server.saved_kv.records import SAVE_FLAG, SavedKv
from llama_mcp.llama_server.saved_kv.samples import Samples
from llama_mcp.models.model import Model
from llama_mcp.models.needs import cache_bytes_per_token
from llama_mcp.models.not_for_chat import CANNOT_CHAT

logger = logging.getLogger(__name__)

# Begins what a disk cache of llama.cpp's own is called in its draft (ggml-org/llama.cpp#28092).
_OWN_FLAG = "--cache-disk"
_VARIABLES = "LLAMA_"
_MIB = 2**20
_SIMILARITY_FLAG = "--slot-prompt-similarity"


@dataclass(frozen=True, slots=True)
class PlannedStart:
    """What is known of a start before it."""

    config: LaunchConfig
    engine: Engine
    capabilities: Capabilities
    model: Model
    arguments: tuple[str, ...]
    """What the model brings along, then the caller's own flags."""
    environment: Mapping[str, str]


def plan_saving(start: PlannedStart, state_dir: Path, limit_mb: int) -> SavedKv | None:
    """Return where and how its prompt caches are saved; None when they are not. Reads files.

    Args:
        start: the start.
        state_dir: where runs are recorded, and the files are kept beside them.
        limit_mb: how much room they may take, in MiB.
    """
    facts = start.model.facts
    is_for_chat = facts is None or facts.kind not in CANNOT_CHAT
    if not (limit_mb and is_for_chat and can_save(start.capabilities)):
        return None
    samples = Samples()
    try:
        key = key_of(_parts(start, samples))
    except OSError as error:
        logger.warning("No prompt cache is kept: %s", error)
        return None
    values = given_values(start.arguments, start.capabilities)
    options = start_options(start.config, values, start.capabilities)
    return SavedKv(
        folder=str(state_dir / kv_files.FOLDER / key),
        limit_bytes=limit_mb * _MIB,
        bytes_per_token=cache_bytes_per_token(facts, options) if facts else None,
        stamps=samples.stamps,
        similarity=_similarity(values),
    )


def can_save(capabilities: Capabilities) -> bool:
    """Tell whether a build saves slots, and has no disk cache of its own."""
    has_own = any(name.startswith(_OWN_FLAG) for name in capabilities.flags)
    return SAVE_FLAG in capabilities and not has_own


def _parts(start: PlannedStart, samples: Samples) -> KeyParts:
    facts = start.model.facts
    is_window_part = facts is None or facts.has_two_ropes is not False
    return KeyParts(
        model=samples.of_model(start.model.path),
        engine=samples.of_engine(start.engine),
        version=start.capabilities.version,
        window=start.config.ctx_size if is_window_part else None,
        parallel=start.config.parallel,
        arguments=start.arguments,
        named=samples.of_named(start.arguments),
        variables={
            name: value
            for name, value in start.environment.items()
            if name.upper().startswith(_VARIABLES) and name.upper() != run_dir.API_KEY_VARIABLE
        },
    )


def _similarity(values: Values) -> float:
    try:
        return float(values.get(_SIMILARITY_FLAG, ""))
    except ValueError:
        return 0.1
