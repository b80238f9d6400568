"""`llama-mcp models pull`: get a model, with a bar that shows how far it is."""

import math
import sys
from argparse import Namespace

import anyio

from llama_mcp.cli.display.columns import bar
from llama_mcp.cli.display.json_output import print_json
from llama_mcp.cli.display.progress_line import ProgressLine
from llama_mcp.cli.rooms import use_rooms
from llama_mcp.cli.terminal import Terminal
from llama_mcp.errors import LlamaMCPError
from llama_mcp.models.download.download import Download, download_line
from llama_mcp.services import Services
from llama_mcp.settings import inherited_environment

# How long the program that downloads has for its end.
_END_SECONDS = 10.0


def pull(arguments: Namespace) -> int:
    """Get the model that is named; return the exit code. What has come stays, however it ends."""
    environment = inherited_environment()
    progress = ProgressLine(environment, sys.stderr)

    async def report(download: Download) -> None:
        progress.show(pull_line(download))

    async def fetch(services: Services) -> int:
        try:
            download = await services.downloads.fetch(
                arguments.name, wait_seconds=math.inf, report=report
            )
        except anyio.get_cancelled_exc_class():
            progress.clear()
            await _end(services, arguments.name)
            raise
        finally:
            progress.clear()
        if arguments.json:
            print_json(download)
        else:
            _tell(download, Terminal(environment))
        return 0 if download.state == "complete" else 1

    return use_rooms(fetch)


def pull_line(download: Download) -> str:
    """Return how far a download is, with a bar once its size is known."""
    come = download.bytes
    shown = f"[{bar(come.done / come.total)}] " if come.total else ""
    return f"{shown}{download.model}: {download_line(download)}"


async def _end(services: Services, name: str) -> None:
    """End the download as its person has asked, and say what becomes of what has come."""
    with anyio.CancelScope(shield=True), anyio.move_on_after(_END_SECONDS):
        try:
            await services.downloads.cancel(name)
        except LlamaMCPError:
            return  # it is over, or was never begun
    print("Stopped. What has come is kept: the same command goes on from there.", file=sys.stderr)


def _tell(download: Download, terminal: Terminal) -> None:
    terminal.line(f"{download.model} is {download.state}: {download_line(download)}")
    if download.model_path:
        terminal.line(download.model_path)
    for note in download.notes:
        terminal.line(note)
