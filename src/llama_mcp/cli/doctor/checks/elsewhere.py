"""Check: the engines that somebody else runs: whether they answer, with which model and key."""

import stat
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.to_thread

from llama_mcp.cli.doctor.examining import told
from llama_mcp.cli.doctor.findings import Circumstances, Finding, fine, warning
from llama_mcp.llama_server.elsewhere.engines import EnginesElsewhere
from llama_mcp.llama_server.elsewhere.telling import notes_on_url
from llama_mcp.llama_server.remote.engine import RemoteEngine
from llama_mcp.llama_server.remote.look import RemoteLook
from llama_mcp.settings import Settings

_SEE_PAGE = "docs/remote-engines.md says what helps."
_SAY_WINDOW = (
    "Set LLAMA_MCP_CTX_SIZE, or ctx_size of its entry, to the window that who runs it has given "
    "it: with a smaller one history is left out early, with a larger one the engine cuts or "
    "refuses."
)
_KEEP_IT = "Let only yourself read it: chmod 600."
_ENCRYPT = "Ask whoever runs it for https, or reach it through a tunnel."
_OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO


async def look_at_elsewhere(circumstances: Circumstances) -> Sequence[Finding]:
    """Say of each engine how it stands; nothing where the operator has named none."""
    async with engines_of(circumstances.apart, circumstances) as engines:
        looks = await engines.look_at_all()
    lines = [line for engine, look in looks for line in _findings(engine, look)]
    for engine, _ in looks:
        lines += await anyio.to_thread.run_sync(_of_key_file, engine.target.key_file)
    return lines


async def answers_elsewhere(circumstances: Circumstances) -> str | None:
    """Return where the engine is that is taken when no model is named; None for one of ours."""
    async with engines_of(circumstances.apart, circumstances) as engines:
        engine = await engines.default()
    return engine.target.url if engine else None


@asynccontextmanager
async def engines_of(
    settings: Settings, circumstances: Circumstances
) -> AsyncIterator[EnginesElsewhere]:
    """Give the engines that the settings name, until the context ends."""
    engines = EnginesElsewhere(settings, circumstances.environment)
    try:
        yield engines
    finally:
        await engines.aclose()


def _findings(engine: RemoteEngine, look: RemoteLook) -> Iterator[Finding]:
    if look.problem is not None:
        yield told(look.problem, _SEE_PAGE)
    else:
        kind = look.kind or "an engine"
        window = f"window {look.ctx_size} ({look.ctx_size_source})"
        at_once = f"{look.total_slots} at once ({look.total_slots_source})"
        yield fine(f"{engine.shown_model} at {look.url}: {kind}, {window}, {at_once}")
        if look.ctx_size_source == "guess":
            yield warning(f"{look.url} does not tell its window: {look.guesses}", _SAY_WINDOW)
    leaves, *unencrypted = (*notes_on_url(look.url), "")
    if leaves:
        yield fine(leaves)
    yield from (warning(note, _ENCRYPT) for note in unencrypted if note)


def _of_key_file(path: Path | None) -> list[Finding]:
    """Return what is wrong with who can read a file; that it is not there, the engine says."""
    if path is None or sys.platform == "win32":
        return []
    try:
        mode = path.stat().st_mode
    except OSError:
        return []
    if mode & _OF_OTHERS:
        return [warning(f"Others can read the key in {path}.", _KEEP_IT)]
    return [fine(f"the key in {path} is readable by its owner only")]
