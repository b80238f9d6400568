"""Check: which engine a start would take, of which build, and what that lacks."""

from collections.abc import Sequence

from llama_mcp.cli.doctor.checks.elsewhere import answers_elsewhere
from llama_mcp.cli.doctor.examining import told
from llama_mcp.cli.doctor.findings import Circumstances, Finding, fine, warning
from llama_mcp.embedded.presence import INSTALL_COMMAND
from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.rehearsing import EngineFacts, find_engine
from llama_mcp.wording import first_few

_GET_ONE = (
    "Set LLAMA_MCP_LLAMA_CPP_PATH to a folder of llama.cpp, or install the embedded engine: "
    f"{INSTALL_COMMAND}"
)
_MOST_LACKS = 4


async def look_at_engine(circumstances: Circumstances) -> Sequence[Finding]:
    """Say the engine, its build and its GPUs."""
    try:
        engine = await find_engine(circumstances.apart, circumstances.environment)
    except LlamaMCPError as error:
        if (url := await answers_elsewhere(circumstances)) is not None:
            return [fine(f"none is needed here: the engine at {url} answers")]
        return [told(error, _GET_ONE)]
    lines = [fine(f"{_name(engine)}, build {engine.info.version}"), fine(_gpus(engine))]
    if engine.lacks:
        lacks = first_few(engine.lacks, _MOST_LACKS, "; ")
        lines.append(warning(f"This build has {lacks}.", "Use a newer llama.cpp."))
    return lines


def _name(engine: EngineFacts) -> str:
    is_embedded = engine.info.kind == "embedded"
    return "the embedded engine" if is_embedded else engine.info.path


def _gpus(engine: EngineFacts) -> str:
    if engine.gpus is None:
        return "it does not tell which GPUs it uses"
    return f"GPUs: {', '.join(engine.gpus)}" if engine.gpus else "no GPU: models run on the CPU"
