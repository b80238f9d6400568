"""Check: whether llama-server can have its port."""

from collections.abc import Sequence

import anyio.to_thread

from llama_mcp.cli.doctor.checks.elsewhere import answers_elsewhere
from llama_mcp.cli.doctor.findings import Circumstances, Finding, fault, fine
from llama_mcp.llama_server.left_over import live_runs
from llama_mcp.llama_server.rehearsing import who_holds

_ANOTHER = "Set LLAMA_MCP_PORT to another port, or to 0 for any free one, or end that program."


async def look_at_port(circumstances: Circumstances) -> Sequence[Finding]:
    """Say whether the port of the settings is free, or who has it."""
    settings = circumstances.settings
    if (url := await answers_elsewhere(circumstances)) is not None:
        return [fine(f"none is needed here: the engine at {url} answers")]
    if settings.port == 0:
        return [fine("any free port is taken")]
    holder = await anyio.to_thread.run_sync(who_holds, settings.port, abandon_on_cancel=True)
    if holder is None:
        return [fine(f"port {settings.port} is free")]
    runs = await live_runs(settings.runs_dir)
    if any(run.port == settings.port and run.is_kept for run in runs):
        return [fine(f"port {settings.port} is that of llama-mcp's own llama-server")]
    return [fault(f"Port {settings.port} is taken by {holder}.", _ANOTHER)]
