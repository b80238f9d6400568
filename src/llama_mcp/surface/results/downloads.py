"""A download in words."""

from collections.abc import Iterable

from llama_mcp.models.download.download import Download, figures_of
from llama_mcp.surface.results.hints import EVERY_TOOL, Offered
from llama_mcp.visible_text import visible_line
from llama_mcp.wording import size_text

# What each state means to a model that has our tools.
_MEANING = {
    "downloading": "It goes on by itself. The same call again shows how far it is, and "
    "cancel=true ends it.",
    "cancelled": "What has come is kept. The same call without cancel goes on from there.",
}


def told_download(download: Download, offered: Offered = EVERY_TOOL) -> Download:
    """Return the download with what it does and what its state means among its notes."""
    doing = [f"{visible_line(download.doing)}."] if download.doing else []
    meaning = _MEANING.get(download.state) or _what_takes_it(offered)
    return download.model_copy(update={"notes": [*doing, meaning, *download.notes]})


def _what_takes_it(offered: Offered) -> str:
    if "start_llama_server" in offered:
        return "start_llama_server takes the model_path."
    return "The operator's LLAMA_MCP_MODEL_PATH takes the model_path."


def download_text(download: Download) -> str:
    """Return a Download in words."""
    quant = [f"quant {download.quant}"] if download.quant else []
    heading = ", ".join(
        (f"{download.model} is {download.state}", *quant, *figures_of(download.bytes))
    )
    lines = [f"[{heading}]", *download.notes]
    if download.model_path:
        lines.append(f"model_path={download.model_path}")
    if download.files:
        files = ((file.name, file.size_bytes) for file in download.files)
        lines.append(f"Files: {_sized(files)}")
    if download.other_quants:
        others = ((other.quant, other.size_bytes) for other in download.other_quants)
        lines.append(f"Other quants: {_sized(others)}")
    return "\n".join(lines)


def _sized(named: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name} ({size_text(size_bytes)})" for name, size_bytes in named)
