"""What RPC workers would add to the memory of a start that was not asked for yet."""

import time
from collections.abc import Mapping, Sequence

import anyio.to_thread

from llama_mcp.llama_server.diagnosis.causes import Diagnosis
from llama_mcp.llama_server.engine.capabilities import Capabilities
from llama_mcp.llama_server.engine.devices import Device
from llama_mcp.llama_server.engine.locate import Engine
from llama_mcp.llama_server.runs.named_states import State
from llama_mcp.llama_server.runs.run_state import RunState
from llama_mcp.llama_server.starting.worker_check import serving_workers
from llama_mcp.llama_server.workers.memory import counted_devices, list_workers
from llama_mcp.llama_server.workers.probing import look_at

LOOK_SECONDS = 1.0
LIST_SECONDS = 2.5
KEPT_SECONDS = 30.0

_Key = tuple[tuple[str, ...], tuple[str, ...]]
# What workers have said of themselves, by engine and addresses; asking takes a start of the engine.
_listed: dict[_Key, tuple[float, Sequence[Device]]] = {}


class WorkerMemory:
    """What one look finds out of workers."""

    def __init__(
        self, environment: Mapping[str, str], running: RunState | None, others: Sequence[State]
    ) -> None:
        """Take what has workers.

        Args:
            environment: what an engine gets.
            running: a run that makes room; what its workers had when it was started is free then.
            others: what else may run.
        """
        self._environment = environment
        self._taken = serving_workers([*others, *([running] if running else [])])
        self._left = {
            worker.address: Device(
                name=worker.address,
                description=worker.address,
                total_bytes=worker.memory_bytes or 0,
                free_bytes=worker.free_bytes or 0,
                is_unified=False,
            )
            for worker in (running.run.launch.rpc_workers if running is not None else ())
        }

    async def free(
        self, addresses: Sequence[str], engine: Engine, capabilities: Capabilities
    ) -> tuple[int, ...]:
        """Return what is free of each device of the workers that can be used, each memory once."""
        left = [self._left[each] for each in addresses if each in self._left]
        asked = tuple(each for each in addresses if each not in self._taken)
        devices = [*left, *await self._ask(asked, engine, capabilities)] if addresses else []
        return tuple(device.free_bytes for device in counted_devices(devices))

    async def _ask(
        self, addresses: tuple[str, ...], engine: Engine, capabilities: Capabilities
    ) -> Sequence[Device]:
        if not addresses:
            return ()
        key = (tuple(engine.command), addresses)
        if key in _listed and time.monotonic() - _listed[key][0] < KEPT_SECONDS:
            return _listed[key][1]
        looks = await anyio.to_thread.run_sync(look_at, addresses, LOOK_SECONDS)
        answering = [look.address for look in looks if look.problem is None]
        devices: Sequence[Device] | Diagnosis | None = ()
        if answering:
            asked = answering, engine, capabilities, self._environment, LIST_SECONDS
            devices = await list_workers(*asked)
        found = () if devices is None or isinstance(devices, Diagnosis) else devices
        _listed[key] = (time.monotonic(), found)
        return found
