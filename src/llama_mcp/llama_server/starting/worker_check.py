"""RPC workers looked at before a start: who is missing is told within five seconds.

llama-server itself aborts when a worker refuses, and loads for ever when one stands still.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import anyio.to_thread

from llama_mcp.llama_server.diagnosis.causes import Diagnosis
from llama_mcp.llama_server.diagnosis.slowness import far_worker
from llama_mcp.llama_server.engine.devices import Device
from llama_mcp.llama_server.runs.named_states import State
from llama_mcp.llama_server.runs.records import RpcWorker
from llama_mcp.llama_server.runs.run_state import RunState
from llama_mcp.llama_server.starting.fit_note import judged_with
from llama_mcp.llama_server.starting.preparation import Preparation
from llama_mcp.llama_server.worker_errors import WorkersMissingError, WorkersRefusedError
from llama_mcp.llama_server.workers.memory import counted_devices, list_workers, why_refused
from llama_mcp.llama_server.workers.probing import WorkerLook, look_at
from llama_mcp.llama_server.workers.wanted import NO_WORKERS

# Together below five.
LOOK_SECONDS = 2.0
LIST_SECONDS = 2.5


def serving_workers(states: Sequence[State]) -> dict[str, str]:
    """Return the workers that serve llama-servers of this home: their models, by address."""
    return {
        address: state.run.launch.alias
        for state in states
        if isinstance(state, RunState) and (state.is_live or state.pid is not None)
        for address in state.run.launch.worker_addresses
    }


async def check_workers(addresses: Sequence[str], serving: Mapping[str, str]) -> list[WorkerLook]:
    """Return what is seen of workers that a start needs.

    Args:
        addresses: of the workers.
        serving: those that are taken, by address, with the model that has them.

    Raises:
        WorkersMissingError: not all can be used now.
    """
    free = [address for address in addresses if address not in serving]
    ask = partial(look_at, free, LOOK_SECONDS, max_age_seconds=0.0)
    looks = await anyio.to_thread.run_sync(ask) if free else []
    problems = [
        f"{address} serves llama-server with {serving[address]}, and a worker serves one at a time"
        for address in addresses
        if address in serving
    ]
    problems += [f"{look.address}: {look.problem}" for look in looks if look.problem]
    if problems:
        raise WorkersMissingError(problems, [look.address for look in looks if not look.problem], 0)
    return looks


async def with_workers(preparation: Preparation, serving: Mapping[str, str]) -> Preparation:
    """Return a start with what is known of its workers now.

    Those that the operator has set for every start serve one model; another is started without.

    Raises:
        WorkersMissingError: not all that it needs can be used.
        WorkersRefusedError: llama-server cannot work with them.
    """
    wanted = preparation.workers
    if not wanted.addresses:
        return preparation
    taken = [address for address in wanted.addresses if address in serving]
    if taken and not wanted.is_named:
        return _without(preparation, taken, serving[taken[0]])
    looks = await check_workers(wanted.addresses, serving)
    engine = preparation.engine, preparation.capabilities, preparation.environment
    listed = await list_workers(wanted.addresses, *engine, LIST_SECONDS)
    if isinstance(listed, Diagnosis):
        found = await why_refused(wanted.addresses, *engine, LIST_SECONDS)
        raise _refused(found or {", ".join(wanted.addresses): listed})
    memory = replace(
        preparation.memory, workers=None if listed is None else counted_devices(listed)
    )
    far = filter(None, (far_worker(look.address, look.round_trip_ms) for look in looks))
    preparation = replace(
        preparation,
        memory=memory,
        rpc_workers=tuple(_record(look, listed) for look in looks),
        notes=(*preparation.notes, *far),
    )
    needless = await anyio.to_thread.run_sync(_needless, preparation)
    return replace(preparation, notes=(*preparation.notes, *needless))


def _refused(found: Mapping[str, Diagnosis]) -> WorkersRefusedError:
    problems = [f"{address}: {why.cause}" for address, why in found.items()]
    advice = " ".join(dict.fromkeys(why.advice for why in found.values()))
    evidence = dict.fromkeys(line for why in found.values() for line in why.evidence)
    return WorkersRefusedError(problems, advice, [*evidence])


def _without(preparation: Preparation, taken: Sequence[str], model: str) -> Preparation:
    note = (
        f"RPC workers are not used: {', '.join(taken)} of LLAMA_MCP_RPC_SERVERS serves {model}, "
        "and a worker serves one llama-server at a time."
    )
    memory = replace(preparation.memory, workers=())
    notes = (*preparation.notes, note)
    return replace(preparation, workers=NO_WORKERS, memory=memory, notes=notes)


def _needless(preparation: Preparation) -> Sequence[str]:
    fit = judged_with(preparation.memory, has_ended_another=False)
    if fit is None or fit.fits != "gpu":
        return ()
    return (
        "The model fits on this machine's own GPU: without RPC workers (rpc_servers = [] in its "
        "entry of LLAMA_MCP_MODELS) replies come quicker.",
    )


def _record(look: WorkerLook, listed: Sequence[Device] | None) -> RpcWorker:
    own = [device for device in listed or () if device.description == look.address]
    return RpcWorker(
        address=look.address,
        memory_bytes=sum(device.total_bytes for device in own) or None,
        free_bytes=sum(device.free_bytes for device in own) if own else None,
        round_trip_ms=look.round_trip_ms,
    )
