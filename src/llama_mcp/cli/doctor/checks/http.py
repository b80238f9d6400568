"""Check: whether HTTP is served, and whether its file of tokens is as it should be."""

from collections.abc import Sequence
from pathlib import Path

import anyio.to_thread

from llama_mcp.cli.doctor.findings import Circumstances, Finding, fault, fine
from llama_mcp.errors import LlamaMCPError
from llama_mcp.surface.http.one_process import serving_of
from llama_mcp.tokens.reading import read_tokens
from llama_mcp.wording import counted


async def look_at_http(circumstances: Circumstances) -> Sequence[Finding]:
    """Say who serves HTTP, and what is wrong with the tokens."""
    folder = circumstances.settings.state_dir
    return await anyio.to_thread.run_sync(_look, folder, abandon_on_cancel=True)


def _look(folder: Path) -> Sequence[Finding]:
    serving = serving_of(folder)
    if serving is None:
        return [fine("no process of this home serves HTTP")]
    try:
        entries = read_tokens(Path(serving.tokens))
    except LlamaMCPError as error:
        told = f"HTTP is served by {serving}, with the tokens of before. {error}"
        return [fault(told, "`llama-mcp tokens list --tokens FILE` says whether it is mended.")]
    return [fine(f"HTTP is served by {serving}, to {counted(len(entries), 'token')}")]
