"""Check: which llama-servers of this home live, and whether one was left over."""

from collections.abc import Sequence

from llama_mcp.cli.doctor.findings import Circumstances, Finding, fault, fine, warning
from llama_mcp.llama_server.left_over import LiveRun, live_runs
from llama_mcp.llama_server.status import ServerState
from llama_mcp.wording import counted, lasting

_END_IT = "`llama-mcp stop --force` ends it; so does the next start."


async def look_at_runs(circumstances: Circumstances) -> Sequence[Finding]:
    """Say what runs, and what nobody looks after."""
    runs = await live_runs(circumstances.settings.runs_dir)
    return [judged(run) for run in runs] or [fine("no llama-server runs, and none is left over")]


def judged(run: LiveRun) -> Finding:
    """Say how it stands with one llama-server that lives."""
    model = run.model or "a model that its record does not tell"
    pids = f"{'pid' if len(run.pids) == 1 else 'pids'} {', '.join(map(str, run.pids))}"
    if not run.is_kept:
        return fault(
            f"A llama-server with {model} ({pids}) is left over: its keeper is gone, and nobody "
            f"would end it. Its records are in {run.folder}.",
            _END_IT,
        )
    if run.state is ServerState.UNRESPONSIVE:
        return fault(f"llama-server with {model} ({pids}) does not answer any more.", _END_IT)
    return _kept(run, f"{model} ({run.state}, {pids}, port {run.port})")


def _kept(run: LiveRun, what: str) -> Finding:
    if run.clients:
        return fine(f"{what}, used by {counted(run.clients, 'llama-mcp', 'llama-mcp')}")
    if run.linger_seconds is not None and run.linger_seconds < 0:
        return warning(
            f"{what} is used by nobody, and kept for ever (LLAMA_MCP_LINGER_SECONDS is -1).",
            "`llama-mcp stop` frees its memory.",
        )
    return fine(f"{what}, used by nobody, kept {lasting(run.linger_seconds or 0)} for the next")
