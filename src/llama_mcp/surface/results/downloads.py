"""A download in words."""

from collections.abc import Iterable

from llama_mcp.models.download.download import Bytes, Download
from llama_mcp.surface.results.hints import EVERY_TOOL, Offered
from llama_mcp.visible_text import visible_line
from llama_mcp.wording import lasting, size_text

# What each state means to a model that has our tools.
_MEANING = {
    "downloading": "It goes on by itself. The same call again shows how far it is, and "
    "cancel=true ends it.",
    "cancelled": "What has come is kept. The same call without cancel goes on from there.",
}
# Less is over before it is read.
_SHORTEST_LEFT_SECONDS = 1


def told_download(download: Download, offered: Offered = EVERY_TOOL) -> Download:
    """Return the download with what it does and what its state means among its notes."""
    doing = [f"{visible_line(download.doing)}."] if download.doing else []
    meaning = _MEANING.get(download.state) or _what_takes_it(offered)
    return download.model_copy(update={"notes": [*doing, meaning, *download.notes]})


def _what_takes_it(offered: Offered) -> str:
    if "start_llama_server" in offered:
        return "start_llama_server takes the model_path."
    return "The operator's LLAMA_MCP_MODEL_PATH takes the model_path."


def download_line(download: Download) -> str:
    """Return how far a download is, in a line: for a person who watches it."""
    parts = [*_figures(download.bytes), visible_line(download.doing)]
    return ", ".join(filter(None, parts)) or download.state


def download_text(download: Download) -> str:
    """Return a Download in words."""
    quant = [f"quant {download.quant}"] if download.quant else []
    heading = ", ".join(
        (f"{download.model} is {download.state}", *quant, *_figures(download.bytes))
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


def _figures(come: Bytes) -> list[str]:
    figures = []
    if come.total:
        total = size_text(come.total)
        figures.append(total if come.done >= come.total else f"{size_text(come.done)} of {total}")
    if come.per_second:
        figures.append(f"{size_text(int(come.per_second))}/s")
    if come.seconds_left and come.seconds_left >= _SHORTEST_LEFT_SECONDS:
        figures.append(f"{lasting(come.seconds_left)} left")
    return figures


def _sized(named: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name} ({size_text(size_bytes)})" for name, size_bytes in named)
