"""Check: whether the RPC workers of the settings answer."""

from collections.abc import Sequence

from llama_mcp.cli.doctor.findings import Circumstances, Finding, fault, fine
from llama_mcp.llama_server.left_over import look_at_workers
from llama_mcp.llama_server.status import WorkerStatus

_START_IT = (
    "Start ggml-rpc-server there, from the same llama.cpp release, or take it out of "
    "LLAMA_MCP_RPC_SERVERS. One that stands still has to be ended first."
)


async def look_at_rpc_workers(circumstances: Circumstances) -> Sequence[Finding]:
    """Say of each worker whether it answers; nothing where none is set."""
    settings = circumstances.settings
    workers = await look_at_workers(settings.runs_dir, settings.rpc_servers)
    return [judged(worker) for worker in workers]


def judged(worker: WorkerStatus) -> Finding:
    """Say how it stands with one worker."""
    if worker.reachable is False:
        return fault(f"RPC worker {worker.address}: {worker.problem}.", _START_IT)
    seen = "is not seen from here" if worker.reachable is None else "answers"
    trip = worker.round_trip_ms
    far = "" if trip is None else f", round trip {trip:.1f} ms"
    what = f" ({worker.problem})" if worker.problem else ""
    return fine(f"RPC worker {worker.address} {seen}{far}{what}")
