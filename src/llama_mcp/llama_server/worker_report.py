"""What a status tells of RPC workers."""

from collections.abc import Sequence
from functools import partial

import anyio.to_thread

from llama_mcp.llama_server.api.shared_answer import SharedAnswer
from llama_mcp.llama_server.runs.members import pids_of
from llama_mcp.llama_server.runs.named_states import State
from llama_mcp.llama_server.runs.records import Launch
from llama_mcp.llama_server.runs.run_state import RunState
from llama_mcp.llama_server.status import ServerState, WorkerStatus
from llama_mcp.llama_server.workers.connections import connections_to, owed_by
from llama_mcp.llama_server.workers.probing import WorkerLook, look_at

# A status does not wait longer for a worker that does not answer.
LOOK_SECONDS = 1.0
CONNECTION_AGE_SECONDS = 2.0


class WorkerReport:
    """Tells how RPC workers are, to this process's callers."""

    def __init__(self, rpc_servers: Sequence[str]) -> None:
        """Take the workers that the operator has set for every start."""
        self._rpc_servers = rpc_servers
        self._connections: SharedAnswer[list[WorkerStatus]] = SharedAnswer(CONNECTION_AGE_SECONDS)

    async def of(self, state: State | None, states: Sequence[State]) -> list[WorkerStatus] | None:
        """Return how the workers of a run are, or those that the next start would use.

        Args:
            state: of the run; None without one.
            states: the last run of each model. A worker that serves one of them is not asked.

        Returns:
            None where there are none.
        """
        own = state if isinstance(state, RunState) else None
        if own is not None and _is_up(own):
            return await self._of_one_that_runs(own)
        launch = own.run.launch if own is not None else None
        addresses = (launch.worker_addresses if launch else None) or self._rpc_servers
        if not addresses:
            return None
        up = [each for each in states if isinstance(each, RunState) and _is_up(each)]
        taken = {each for other in up for each in other.run.launch.worker_addresses}
        free = [address for address in addresses if address not in taken]
        looks = await anyio.to_thread.run_sync(look_at, free, LOOK_SECONDS) if free else []
        told = {look.address: _seen(look, launch) for look in looks}
        for other in up:
            served = f"it serves llama-server with {other.run.launch.alias}"
            for each in await self._of_one_that_runs(other) or ():
                told[each.address] = each.model_copy(update={"problem": each.problem or served})
        return [told[address] for address in addresses if address in told]

    async def _of_one_that_runs(self, state: RunState) -> list[WorkerStatus] | None:
        if not state.run.launch.worker_addresses:
            return None
        look = partial(anyio.to_thread.run_sync, _connected, state)
        return await self._connections.get((state.run.folder, state.pid, state.state), look)


def _is_up(state: RunState) -> bool:
    return state.is_live or state.pid is not None


def _connected(state: RunState) -> list[WorkerStatus]:
    """Return how the workers of a llama-server that runs are, by its own connections to them."""
    launch = state.run.launch
    connections = connections_to(launch.worker_addresses, pids_of(state.run.state()))
    stands_still = state.state is ServerState.UNRESPONSIVE
    owing, said = (stands_still and owed_by(connections)) or (None, None)
    told = []
    for address in launch.worker_addresses:
        known, connection = _known(address, launch), connections.get(address)
        if connection is not None:  # else it is not there yet, or the system does not show it
            problem = said if address == owing else None
            known = _updated(known, problem, connection.round_trip_ms)
        told.append(known)
    return told


def _seen(look: WorkerLook, launch: Launch | None) -> WorkerStatus:
    return _updated(_known(look.address, launch), look.problem, look.round_trip_ms)


def _updated(
    worker: WorkerStatus, problem: str | None, round_trip_ms: float | None
) -> WorkerStatus:
    # Of a tunnel the connection shows the near end only.
    trip = max((ms for ms in (worker.round_trip_ms, round_trip_ms) if ms is not None), default=None)
    seen = {"reachable": problem is None, "problem": problem, "round_trip_ms": trip}
    return worker.model_copy(update=seen)


def _known(address: str, launch: Launch | None) -> WorkerStatus:
    """Return what a launch has recorded of a worker."""
    recorded = launch.rpc_workers if launch else ()
    known = next((worker for worker in recorded if worker.address == address), None)
    if known is None:
        return WorkerStatus(address=address)
    trip = known.round_trip_ms
    return WorkerStatus(address=address, memory_bytes=known.memory_bytes, round_trip_ms=trip)
